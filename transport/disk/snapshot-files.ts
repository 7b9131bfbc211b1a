// The snapshot files of a store that runs: one being staged, the one that the database names, the
// one before it, and those that are verified and wait to be taken over.
//
//   stage ─▶ snapshot.staging ─verify: fsync, read back─▶ snapshot-<index>-<term>.bin ─takenOver─▶
//
// Guarantees: a file has its final name only when its bytes are durable and sound, and its name is
// durable before verify says so. Nothing here blocks the thread: commits go on while a snapshot is
// written, fsynced or read, and what is not fsynced yet stays small, since a commit's fsync may
// have to write it as well. One call at a time.
// Does not own: which snapshot a restart begins with (the database's row).

import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { LogPosition, Snapshot } from "../../raft/message.ts";
import { sizeOf } from "./file-system.ts";
import { READ_SLICE_BYTES, STAGING_FILE_NAME, snapshotFileName } from "./snapshot-folder.ts";
import type { TestFault } from "./test-fault.ts";

const UNSYNCED_BYTES_MAX = 4 * 1024 * 1024;

interface Staging {
  readonly writer: number;
  readonly file: FileHandle;
  unsyncedBytes: number;
}

export class SnapshotFiles {
  readonly #directory: string;
  readonly #fault: TestFault;
  readonly #stagingPath: string;
  /** Those that are there, by file name. */
  readonly #known = new Map<string, Snapshot>();
  #current: Snapshot | null;
  #staging: Staging | null = null;

  constructor(directory: string, current: Snapshot | null, fault: TestFault) {
    this.#directory = directory;
    this.#fault = fault;
    this.#stagingPath = join(directory, STAGING_FILE_NAME);
    this.#current = current;
    if (current !== null) this.#known.set(snapshotFileName(current), current);
  }

  /** A writer that was not seen before begins with nothing staged. */
  async stage(writer: number, offset: number, data: Uint8Array): Promise<void> {
    this.#fault.beforeWrite();
    const staging = await this.#stagingOf(writer);
    let at = 0;
    while (at < data.length) {
      const { bytesWritten } = await staging.file.write(data, at, data.length - at, offset + at);
      at += bytesWritten;
    }
    staging.unsyncedBytes += data.length;
    if (staging.unsyncedBytes < UNSYNCED_BYTES_MAX) return;
    await staging.file.datasync();
    staging.unsyncedBytes = 0;
  }

  /** Ends the writer. False: nothing is left of what it staged. */
  async verify(writer: number, snapshot: Snapshot): Promise<boolean> {
    const { file } = await this.#stagingOf(writer);
    await file.sync();
    const isSound = (await this.#isWhole(file, snapshot)) && this.#mayReplace(snapshot);
    await this.#endStaging();
    const name = snapshotFileName(snapshot);
    if (!isSound || snapshot.bytes === 0 || this.#isInForce(snapshot)) {
      await rm(this.#stagingPath);
    } else {
      await rename(this.#stagingPath, join(this.#directory, name));
      await this.#syncDirectory();
    }
    if (isSound) this.#known.set(name, snapshot);
    return isSound;
  }

  /** Null if there is none at this place; short at its end only. */
  async read(
    place: LogPosition,
    offset: number,
    bytes: number,
  ): Promise<Uint8Array<ArrayBuffer> | null> {
    const name = snapshotFileName(place);
    const snapshot = this.#known.get(name);
    if (snapshot === undefined) return null;
    const length = Math.max(0, Math.min(bytes, snapshot.bytes - offset));
    const buffer = new Uint8Array(length);
    if (length === 0) return buffer;
    const file = await open(join(this.#directory, name), "r");
    try {
      if ((await readFully(file, buffer, offset)) === length) return buffer;
    } finally {
      await file.close();
    }
    throw new Error(`${name} has become shorter than ${snapshot.bytes} bytes`);
  }

  /** The database names it now: older ones go, but the one before, which a peer may be fetching. */
  async takenOver(snapshot: Snapshot): Promise<void> {
    const previousName = this.#current === null ? null : snapshotFileName(this.#current);
    const name = snapshotFileName(snapshot);
    if (previousName === name) return;
    this.#current = snapshot;
    this.#known.set(name, snapshot);
    for (const [oldName, old] of this.#known) {
      if (oldName === previousName || old.index >= snapshot.index) continue;
      this.#known.delete(oldName);
      await rm(join(this.#directory, oldName), { force: true });
    }
  }

  async close(): Promise<void> {
    await this.#endStaging();
  }

  async #stagingOf(writer: number): Promise<Staging> {
    if (this.#staging?.writer === writer) return this.#staging;
    await this.#endStaging();
    const file = await open(this.#stagingPath, "w+", 0o600);
    this.#staging = { writer, file, unsyncedBytes: 0 };
    return this.#staging;
  }

  async #endStaging(): Promise<void> {
    const staging = this.#staging;
    this.#staging = null;
    await staging?.file.close();
  }

  async #isWhole(file: FileHandle, { bytes, checksum }: Snapshot): Promise<boolean> {
    if (sizeOf(this.#stagingPath) !== bytes) return false;
    const buffer = new Uint8Array(READ_SLICE_BYTES);
    let crc = 0;
    for (let at = 0; at < bytes; ) {
      const slice = buffer.subarray(0, Math.min(buffer.length, bytes - at));
      const read = await readFully(file, slice, at);
      if (read === 0) return false;
      crc = crc32(slice.subarray(0, read), crc);
      at += read;
    }
    return crc === checksum;
  }

  /** Other bytes for the snapshot in force would be a restart's damage, if it stopped half-way. */
  #mayReplace(snapshot: Snapshot): boolean {
    const known = this.#isInForce(snapshot) ? this.#known.get(snapshotFileName(snapshot)) : null;
    if (known === null || known === undefined) return true;
    return known.bytes === snapshot.bytes && known.checksum === snapshot.checksum;
  }

  /** Whether the database names this place, or named it before and a peer may be fetching it. */
  #isInForce(snapshot: Snapshot): boolean {
    const known = this.#known.get(snapshotFileName(snapshot));
    return known !== undefined && known.index <= (this.#current?.index ?? -1);
  }

  async #syncDirectory(): Promise<void> {
    const directory = await open(this.#directory, "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}

/** How many bytes there were: fewer than the buffer holds at the end of the file only. */
async function readFully(file: FileHandle, buffer: Uint8Array, offset: number): Promise<number> {
  let at = 0;
  while (at < buffer.length) {
    const { bytesRead } = await file.read(buffer, at, buffer.length - at, offset + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return at;
}
