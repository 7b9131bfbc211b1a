// Random families against a second, deliberately dumb implementation of their rules: after each
// thing that happens it looks at every job until nothing changes any more.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { ChildFailurePolicy, JobState } from "../../../ledger/job.ts";
import { isTerminal } from "../../../ledger/job.ts";
import { assertRuns } from "../../support/bounded-shrink.ts";
import { checkLedger } from "./invariants.ts";
import { restored } from "./restored.ts";
import { kindOf, World } from "./world.ts";

interface Member {
  /** Of the members before it; -1: none. */
  readonly parent: number;
  readonly policy: ChildFailurePolicy;
}

interface Happening {
  readonly what: "succeed" | "fail" | "cancel" | "retry" | "restore";
  readonly pick: number;
}

class Model {
  readonly states: JobState[];
  readonly #members: readonly Member[];

  constructor(members: readonly Member[]) {
    this.#members = members;
    this.states = members.map((_, at) => (this.#children(at).length > 0 ? "scheduled" : "queued"));
  }

  end(at: number, state: "succeeded" | "failed"): void {
    this.states[at] = state;
    this.#settle();
  }

  cancel(at: number): void {
    if (this.#isOver(at)) return;
    this.states[at] = "cancelled";
    for (const child of this.#below(at)) if (!this.#isOver(child)) this.states[child] = "cancelled";
    this.#settle();
  }

  retry(at: number): void {
    const state = this.states[at];
    if (state !== "failed" && state !== "cancelled") return;
    const children = this.#children(at);
    if (this.#members[at]?.policy === "fail-parent")
      for (const child of children) this.retry(child);
    this.states[at] = children.every((child) => this.#isOver(child)) ? "queued" : "scheduled";
  }

  #settle(): void {
    const before = this.states.join();
    for (const at of this.states.keys()) {
      const ends = this.#children(at).map((child) => this.states[child] ?? "queued");
      if (this.states[at] !== "scheduled") continue;
      const isSpoilt = ends.includes("failed") || ends.includes("cancelled");
      if (isSpoilt && this.#members[at]?.policy === "fail-parent") this.states[at] = "failed";
      else if (ends.every(isTerminal)) this.states[at] = "queued";
    }
    if (this.states.join() !== before) this.#settle();
  }

  #isOver(at: number): boolean {
    return isTerminal(this.states[at] ?? "queued");
  }

  #children(at: number): number[] {
    return [...this.#members.keys()].filter((one) => this.#members[one]?.parent === at);
  }

  #below(at: number): number[] {
    return this.#children(at).flatMap((child) => [child, ...this.#below(child)]);
  }
}

const members: fc.Arbitrary<Member[]> = fc
  .array(fc.record({ up: fc.nat(9), isRun: fc.boolean() }), { minLength: 2, maxLength: 12 })
  .map((drawn) =>
    drawn.map(({ up, isRun }, at) => ({
      parent: at - 1 - up < 0 ? (at === 0 || up > 7 ? -1 : 0) : at - 1 - up,
      policy: isRun ? "run-parent" : "fail-parent",
    })),
  );

const happenings: fc.Arbitrary<Happening[]> = fc.array(
  fc.record({
    what: fc.oneof(
      { weight: 5, arbitrary: fc.constant("succeed" as const) },
      { weight: 3, arbitrary: fc.constant("fail" as const) },
      { weight: 1, arbitrary: fc.constant("cancel" as const) },
      { weight: 3, arbitrary: fc.constant("retry" as const) },
      { weight: 1, arbitrary: fc.constant("restore" as const) },
    ),
    pick: fc.nat(100),
  }),
  { maxLength: 30 },
);

function submit(world: World, family: readonly Member[]): readonly string[] {
  const result = world.submit(
    ...family.map(({ parent, policy }) => ({ parent: parent + 1, onChildFailure: policy })),
  );
  if (result.kind !== "submitted") throw new Error(result.kind);
  return result.jobs.map(({ jobId }) => jobId);
}

test("families do what the dumb model says, and every parent ends", () => {
  const reached = { failedParents: 0, retries: 0, waited: 0 };
  assertRuns(
    fc.property(members, happenings, (family, drawn) => {
      let world = new World([kindOf({ maxAttempts: 1 })]);
      const ids = submit(world, family);
      const model = new Model(family);
      const statesOf = (): JobState[] => ids.map((id) => world.job(id).state);
      const queued = (pick: number): number => {
        const all = [...model.states.keys()].filter((at) => model.states[at] === "queued");
        return all[pick % Math.max(1, all.length)] ?? -1;
      };
      const happen = ({ what, pick }: Happening): void => {
        const at = what === "succeed" || what === "fail" ? queued(pick) : pick % ids.length;
        const id = ids[at];
        if (id === undefined) return;
        if (what === "succeed") {
          world.succeed(id, world.begin(id));
          model.end(at, "succeeded");
        } else if (what === "fail") {
          world.fail(id, world.begin(id), "failed", false);
          model.end(at, "failed");
        } else if (what === "cancel") {
          world.cancel(id);
          model.cancel(at);
        } else if (what === "retry") {
          const result = world.commit({ kind: "retry-job", jobId: id, requestId: "" });
          if (result.kind === "retried") reached.retries += 1;
          model.retry(at);
        } else {
          world = world.withLedger(restored(world.ledger));
        }
        reached.waited += model.states.includes("scheduled") ? 1 : 0;
        expect(statesOf()).toEqual(model.states);
        checkLedger(world.ledger);
      };
      expect(statesOf()).toEqual(model.states);
      for (const one of drawn) happen(one);
      reached.failedParents += ids.filter(
        (id) => world.job(id).error?.code === "CHILD_FAILED",
      ).length;
      while (queued(0) >= 0) happen({ what: "succeed", pick: 0 });
      expect(model.states.every(isTerminal)).toBe(true);
      expect(statesOf().every(isTerminal)).toBe(true);
    }),
    { numRuns: 200 },
  );
  for (const count of Object.values(reached)) expect(count).toBeGreaterThan(20);
});
