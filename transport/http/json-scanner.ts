// JSON read from a text piece by piece: who reads says what to look into and what to pass over.
//
// Guarantees: takes exactly RFC 8259; a fault names line, column and what was expected, and nothing
// of the text, which may be a payload. What is passed over is given back as it was written, so that
// a payload keeps its digits and its spelling. Passing over uses no stack, however deep the value.
// Does not own: what the members mean (request-reader.ts).

import type { PipelineError } from "../pipeline-error.ts";
import { refusal } from "../reason.ts";

export type JsonKind = "object" | "array" | "string" | "number" | "boolean" | "null";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const SPACE = /[ \t\r\n]*/y;
const LITERALS = ["true", "false", "null"] as const;

export class JsonScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** What kind of value comes next, by how it begins. */
  peek(): JsonKind {
    this.#skipSpace();
    const first = this.#text[this.#at];
    switch (first) {
      case "{":
        return "object";
      case "[":
        return "array";
      case '"':
        return "string";
      case "t":
      case "f":
        return "boolean";
      case "n":
        return "null";
      default:
        if (first !== undefined && /[-0-9]/.test(first)) return "number";
        throw this.#fault("a value");
    }
  }

  /** Reads an object. `read` is called for each member, and has to read or pass over its value. */
  members(read: (name: string) => void): void {
    this.#take("{");
    this.#skipSpace();
    if (this.#taken("}")) return;
    do read(this.#name());
    while (this.#taken(","));
    this.#take("}");
  }

  /** Reads an array. `read` is called for each item, and has to read or pass over it. */
  items(read: (position: number) => void): void {
    this.#take("[");
    this.#skipSpace();
    if (this.#taken("]")) return;
    let position = 0;
    do read(position++);
    while (this.#taken(","));
    this.#take("]");
  }

  /** Passes over a value. Returns it as it was written. */
  pass(): string {
    this.#skipSpace();
    const start = this.#at;
    const closers: string[] = [];
    for (;;) {
      const isOpened = this.#open(closers);
      if (isOpened) continue;
      while (closers.length > 0 && !this.#taken(",")) this.#take(closers.pop() ?? "");
      if (closers.length === 0) return this.#text.slice(start, this.#at);
      if (closers.at(-1) === "}") this.#name();
    }
  }

  /** Nothing may follow the value. */
  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#fault("the end of the text");
  }

  /** Passes over a scalar or an empty container; or enters a container and returns true. */
  #open(closers: string[]): boolean {
    const kind = this.peek();
    if (kind === "object" || kind === "array") {
      const closer = kind === "object" ? "}" : "]";
      this.#at += 1;
      if (this.#taken(closer)) return false;
      closers.push(closer);
      if (kind === "object") this.#name();
      return true;
    }
    if (kind === "string") this.#string();
    else if (kind === "number") this.#match(NUMBER, "a number");
    else this.#literal();
    return false;
  }

  #name(): string {
    this.#skipSpace();
    if (this.#text[this.#at] !== '"') throw this.#fault("a name in double quotes");
    const start = this.#at;
    this.#string();
    const name: unknown = JSON.parse(this.#text.slice(start, this.#at));
    this.#take(":");
    return String(name);
  }

  #string(): void {
    this.#at += 1;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === QUOTE) break;
      if (code === BACKSLASH) this.#match(ESCAPE, "an escape of JSON");
      else if (code >= FIRST_PRINTABLE) this.#at += 1;
      else throw this.#fault("the rest of a string (control characters are written as escapes)");
    }
    this.#at += 1;
  }

  #literal(): void {
    const literal = LITERALS.find((word) => this.#text.startsWith(word, this.#at));
    if (literal === undefined) throw this.#fault("true, false or null");
    this.#at += literal.length;
  }

  #match(pattern: RegExp, expected: string): void {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) throw this.#fault(expected);
    this.#at = pattern.lastIndex;
  }

  #taken(mark: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== mark) return false;
    this.#at += 1;
    return true;
  }

  #take(mark: string): void {
    if (!this.#taken(mark)) throw this.#fault(mark);
  }

  #skipSpace(): void {
    SPACE.lastIndex = this.#at;
    SPACE.test(this.#text);
    this.#at = SPACE.lastIndex;
  }

  #fault(expected: string): PipelineError {
    const before = this.#text.slice(0, this.#at);
    const line = before.split("\n").length;
    const column = this.#at - before.lastIndexOf("\n");
    const isEnd = this.#at >= this.#text.length;
    const where = `line ${line}, column ${column}${isEnd ? ", where it ends" : ""}`;
    return refusal("MALFORMED_REQUEST", `the body is not JSON: expected ${expected} at ${where}`, {
      metadata: { line: String(line), column: String(column), expected },
    });
  }
}
