// Two faults at once, for what goes wrong while something else is being made good.

import type { Fault } from "./fault.ts";

/** The second strikes when the first has struck; they are healed side by side. */
export function together(first: Fault, second: Fault): Fault {
  return {
    name: `${first.name} + ${second.name}`,
    holdMs: Math.max(first.holdMs, second.holdMs),
    strike: async (world) => {
      const one = await first.strike(world);
      const wounds = [one];
      try {
        wounds.push(await second.strike(world));
      } catch (error) {
        await one.heal();
        throw error;
      }
      return {
        victim: wounds.map(({ victim }) => victim).join(" + "),
        heal: async () => {
          await Promise.all(wounds.map((wound) => wound.heal()));
        },
        isOver: (view) => wounds.every((wound) => wound.isOver?.(view) ?? true),
      };
    },
  };
}
