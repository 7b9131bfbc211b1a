// What the node and its snapshot thread say to each other: one question, one answer at a time.
//
// Guarantees: bulk is moved, not copied. Does not own: what is done with it.

import type { PackedEntries } from "../disk/packed.ts";

export type ToBuilder =
  /** The next bytes of the snapshot to begin with. */
  | { readonly kind: "base"; readonly data: Uint8Array }
  /** The next committed entries behind it. */
  | { readonly kind: "entries"; readonly packed: PackedEntries }
  /** The next bytes of what came of it, please. */
  | { readonly kind: "next" };

export type FromBuilder =
  | { readonly kind: "taken" }
  | { readonly kind: "chunk"; readonly data: Uint8Array }
  /** All chunks were given. `hash` is the ledger's (ledger/hash.ts). */
  | {
      readonly kind: "built";
      readonly bytes: number;
      readonly checksum: number;
      readonly hash: string;
    }
  /** The base is not what was written, or an entry of ours cannot be applied. */
  | { readonly kind: "failed"; readonly message: string };
