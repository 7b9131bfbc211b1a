// Which configuration is in force, against a second implementation that looks through a whole log.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  type Configuration,
  createConfiguration,
  encodeConfiguration,
  NO_MEMBERS,
} from "../../../raft/configuration.ts";
import { Membership } from "../../../raft/membership.ts";
import { type Entry, EntryKind, type Snapshot } from "../../../raft/message.ts";
import { entryOf, snapshotOf } from "../../support/raft-bench.ts";

function configured(index: number, configuration: Configuration): Entry {
  const data = encodeConfiguration(configuration);
  return { ...entryOf(1, index), kind: EntryKind.Configuration, data };
}

function named(name: number): Configuration {
  return createConfiguration([`v${name}`]);
}

type Act =
  | { readonly kind: "append"; readonly isConfiguration: boolean }
  | { readonly kind: "truncate"; readonly at: number }
  | { readonly kind: "compact"; readonly at: number };

const acts = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("append" as const), isConfiguration: fc.boolean() }),
    fc.record({ kind: fc.constant("truncate" as const), at: fc.nat({ max: 30 }) }),
    fc.record({ kind: fc.constant("compact" as const), at: fc.nat({ max: 30 }) }),
  ) as fc.Arbitrary<Act>,
  { maxLength: 40 },
);

/** The whole log from index 1, whatever is compacted; null where there is no configuration. */
class DumbMembership {
  log: (Configuration | null)[] = [];
  readonly founding: Configuration;

  constructor(founding: Configuration) {
    this.founding = founding;
  }

  at(index: number): Configuration {
    return this.log.slice(0, index).findLast((one) => one !== null) ?? this.founding;
  }
}

describe("membership, against looking through the whole log", () => {
  test("the newest configuration in the log is in force, and falls back when it is cut off", () => {
    fc.assert(
      fc.property(acts, (list) => {
        const founding = snapshotOf(0, 0, { configuration: named(0) });
        const membership = new Membership(founding, []);
        const dumb = new DumbMembership(named(0));
        let compacted = 0;
        list.forEach((act, place) => {
          const [before] = membership.current.voters;
          const last = dumb.log.length;
          if (act.kind === "append") {
            const configuration = act.isConfiguration ? named(place + 1) : null;
            dumb.log.push(configuration);
            const entry =
              configuration === null ? entryOf(1, last + 1) : configured(last + 1, configuration);
            expect(membership.append([entry])).toBe(act.isConfiguration);
          } else if (act.kind === "truncate") {
            // Never what is compacted: that is committed.
            const from = Math.max(compacted + 1, Math.min(act.at, last + 1));
            dumb.log.length = from - 1;
            const isGivenUp = dumb.at(from - 1).voters[0] !== before;
            expect(membership.truncate(from)).toBe(isGivenUp);
          } else {
            compacted = Math.max(compacted, Math.min(act.at, last));
            const configuration = dumb.at(compacted);
            membership.compact(snapshotOf(compacted, 1, { configuration }));
          }
          expect(membership.current).toEqual(dumb.at(dumb.log.length));
          for (let index = compacted; index <= dumb.log.length; index += 1) {
            expect(membership.at(index)).toEqual(dumb.at(index));
            const open = dumb.log.slice(index).filter((one) => one !== null).length;
            expect(membership.uncommittedCount(index)).toBe(open);
          }
        });
      }),
    );
  });
});

describe("membership", () => {
  const snapshot: Snapshot = snapshotOf(5, 1, { configuration: named(5) });

  test("of a node that has not joined has no members", () => {
    expect(new Membership(null, []).current).toEqual(NO_MEMBERS);
  });

  test("of a recovered log begins with the snapshot; older entries are part of it", () => {
    const entries = [configured(4, named(4)), entryOf(1, 5), configured(6, named(6))];
    const membership = new Membership(snapshot, entries);
    expect(membership.at(5)).toEqual(named(5));
    expect([membership.current, membership.currentIndex]).toEqual([named(6), 6]);
    expect(membership.truncate(6)).toBe(true);
    expect([membership.current, membership.currentIndex]).toEqual([named(5), 5]);
  });

  test("is not asked about what was before the snapshot, nor cut below it", () => {
    const membership = new Membership(snapshot, []);
    expect(() => membership.at(4)).toThrow(/^I11\./);
    expect(() => membership.truncate(5)).toThrow(/^I13\./);
  });

  test("does not take an entry that holds no configuration for one", () => {
    const broken = { ...entryOf(1, 6), kind: EntryKind.Configuration };
    expect(() => new Membership(snapshot, [broken])).toThrow(/^I11\./);
  });
});
