// One program in another language while a test runs: its output, and its end.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cleanEnvironment } from "../support/stack.ts";
import { atEnd } from "../support/teardown.ts";
import type { Program } from "./toolchain.ts";

export class RunningProgram {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #output = "";
  #errors = "";
  readonly #looks = new Set<() => void>();

  /** Ends with the test file, at the latest. */
  constructor({ command, args, env }: Program, words: readonly string[]) {
    this.#child = spawn(command, [...args, ...words], {
      env: { ...cleanEnvironment(), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.#output += chunk.toString();
      for (const look of this.#looks) look();
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    this.#ended = once(this.#child, "close");
    atEnd(() => this.kill("SIGKILL"));
  }

  /** What it printed; throws when it failed. */
  async output(): Promise<string> {
    await this.#ended;
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== 0) throw new Error(`ended with ${exitCode ?? signalCode}:\n${this.#errors}`);
    return this.#output;
  }

  /** Resolves when it has printed this so many times. */
  async said(text: string, times = 1): Promise<void> {
    const said = Promise.withResolvers<void>();
    const look = (): void => {
      if (this.#output.split(text).length > times) said.resolve();
    };
    this.#looks.add(look);
    look();
    const gone = this.#ended.then(() => {
      throw new Error(`ended without saying ${text}:\n${this.#output}\n${this.#errors}`);
    });
    // Only of interest as long as it is waited for.
    gone.catch(() => undefined);
    await Promise.race([said.promise, gone]);
    this.#looks.delete(look);
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill(signal);
      if (signal === "SIGKILL") await this.#ended;
    }
  }
}
