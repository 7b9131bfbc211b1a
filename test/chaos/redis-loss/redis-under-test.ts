// The Redis of such a run, started by the run itself so that it can be emptied, killed, and lied to
// about the time.
//
// Guarantees: loopback, nothing on disk, ended by `stop`. Its clock is shifted by a small library
// (clock-shift.c) that is compiled when it is needed: without a C compiler `startShifted` says so.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { type LocalRedis, startRedis } from "../../../deploy/local/redis.ts";

/** How far a clock may be from where it was set, when it is asked over a socket. */
const CLOCK_SECONDS_MAX = 5;

export class RedisUnderTest {
  readonly #redis: LocalRedis;
  /** null: it has its machine's clock. */
  readonly #clockFile: string | null;

  private constructor(redis: LocalRedis, clockFile: string | null) {
    this.#redis = redis;
    this.#clockFile = clockFile;
  }

  static async start(dir: string): Promise<RedisUnderTest> {
    return new RedisUnderTest(await startRedis({ dir }), null);
  }

  /** One whose clock can be set. */
  static async startShifted(dir: string): Promise<RedisUnderTest> {
    mkdirSync(dir, { recursive: true });
    const library = join(dir, "clock-shift.so");
    const source = join(import.meta.dirname, "clock-shift.c");
    execFileSync("cc", ["-shared", "-fPIC", "-O1", "-o", library, source]);
    const clockFile = join(dir, "clock-shift");
    writeShift(clockFile, 0);
    const env = { LD_PRELOAD: library, CLOCK_SHIFT_FILE: clockFile };
    return new RedisUnderTest(await startRedis({ dir, env }), clockFile);
  }

  get url(): string {
    return this.#redis.url;
  }

  /** Everything in it is gone; it runs on. */
  async flush(): Promise<void> {
    const answer = await this.#ask("FLUSHALL");
    if (!answer.startsWith("+OK")) throw new Error(`Redis answered ${answer}`);
  }

  /** SIGKILL, and an empty one on the same port afterwards. */
  async killAndStart(): Promise<void> {
    await this.#redis.kill();
    await this.#redis.start();
  }

  /** From now on its clock is so many seconds ahead, or behind: it is asked whether it is. */
  async setClock(offsetSeconds: number): Promise<void> {
    if (this.#clockFile === null) throw new Error("this Redis has its machine's clock");
    writeShift(this.#clockFile, offsetSeconds);
    // *2, $10, seconds, $6, microseconds
    const [, , seconds] = (await this.#ask("TIME")).split("\r\n");
    const isOffSeconds = Number(seconds) - Date.now() / 1_000;
    if (Math.abs(isOffSeconds - offsetSeconds) <= CLOCK_SECONDS_MAX) return;
    throw new Error(`Redis' clock should be off by ${offsetSeconds} s and is by ${isOffSeconds} s`);
  }

  stop(): Promise<void> {
    return this.#redis.stop();
  }

  async #ask(command: string): Promise<string> {
    const socket = createConnection({ host: "127.0.0.1", port: this.#redis.port });
    socket.write(`${command}\r\n`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    return answer.toString();
  }
}

/** In place and without truncating: whoever has mapped the file would be ended by the kernel. */
function writeShift(file: string, seconds: number): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(seconds));
  if (!existsSync(file)) writeFileSync(file, bytes);
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, bytes, 0, bytes.byteLength, 0);
  closeSync(descriptor);
}
