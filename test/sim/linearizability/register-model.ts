// A register that is read, written, and compared and set: the object of most published histories.
//
// Guarantees: the same semantics as Porcupine's model of etcd: the register is empty at first; a
// compare-and-set tells whether it took place, and one that did not found another value.

import type { Model } from "./model.ts";

export type RegisterCall =
  | { readonly kind: "read" }
  | { readonly kind: "write"; readonly value: number }
  | { readonly kind: "cas"; readonly from: number; readonly to: number };

export type RegisterOutcome =
  /** null: nothing was ever written. */
  | { readonly kind: "value"; readonly value: number | null }
  | { readonly kind: "written" }
  | { readonly kind: "cas"; readonly isDone: boolean };

export type Register = number | null;

export const registerModel: Model<Register, RegisterCall, RegisterOutcome> = {
  initial: () => null,
  key: (state) => String(state),
  isRead: (call) => call.kind === "read",
  step: (state, call, outcome) => {
    switch (call.kind) {
      case "read": {
        const isSeen =
          outcome === "unknown" || (outcome.kind === "value" && outcome.value === state);
        return isSeen ? [state] : [];
      }
      case "write":
        return outcome === "unknown" || outcome.kind === "written" ? [call.value] : [];
      case "cas": {
        const isDone = state === call.from;
        const isSeen =
          outcome === "unknown" || (outcome.kind === "cas" && outcome.isDone === isDone);
        if (!isSeen) return [];
        return [isDone ? call.to : state];
      }
    }
  },
};
