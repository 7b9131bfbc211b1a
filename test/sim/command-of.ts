// The command inside an entry, decoded once for all who hold the same bytes.
//
// Guarantees: a command is a value that nobody changes; entries that have crossed a codec have
// bytes of their own and are decoded on their own.

import type { Command } from "../../ledger/command.ts";
import type { Entry } from "../../raft/message.ts";
import { decodeCommand } from "../../transport/command-codec.ts";

const decoded = new WeakMap<Uint8Array, Command>();

export function commandOf(entry: Entry): Command {
  let command = decoded.get(entry.data);
  if (command === undefined) {
    command = decodeCommand(entry.data);
    decoded.set(entry.data, command);
  }
  return command;
}
