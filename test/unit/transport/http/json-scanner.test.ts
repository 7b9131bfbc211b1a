// The scanner against JSON.parse: it takes what that takes, and gives back what was written.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { JsonScanner } from "../../../../transport/http/json-scanner.ts";
import { PipelineError } from "../../../../transport/pipeline-error.ts";

/** The value as it was written; null: the scanner refuses the text. */
function passed(text: string): string | null {
  try {
    const scanner = new JsonScanner(text);
    const value = scanner.pass();
    scanner.end();
    return value;
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(PipelineError);
    return null;
  }
}

/** The value built by looking into every object and array. */
function entered(scanner: JsonScanner): unknown {
  const kind = scanner.peek();
  if (kind === "object") {
    const members: [string, unknown][] = [];
    scanner.members((name) => members.push([name, entered(scanner)]));
    return Object.fromEntries(members);
  }
  if (kind !== "array") return JSON.parse(scanner.pass());
  const items: unknown[] = [];
  scanner.items((position) => {
    expect(position).toBe(items.length);
    items.push(entered(scanner));
  });
  return items;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const written = fc
  .tuple(fc.jsonValue(), fc.constantFrom(undefined, 1, "\t", "\r\n "))
  .map(([value, space]) => JSON.stringify(value, null, space));

describe("a text that is JSON", () => {
  test("is passed over as it was written", () => {
    fc.assert(
      fc.property(written, fc.constantFrom("", " ", "\n\t"), (text, space) => {
        expect(passed(`${space}${text}${space}`)).toBe(text);
      }),
    );
  });

  test("is the same value when it is looked into", () => {
    fc.assert(
      fc.property(written, (text) => {
        // As text, so that a difference is shown whole.
        const again = JSON.stringify(entered(new JsonScanner(text)));
        expect(again).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });
});

describe("any text", () => {
  const marks = fc.constantFrom(...'{}[],:"\\ \n\t0123-+.eEtrufalsn\u0001é\ud800');

  test("is taken exactly if JSON.parse takes it", () => {
    const soup = fc.array(marks, { maxLength: 12 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(soup, (text) => {
        expect(passed(text) !== null).toBe(isJson(text));
      }),
      { numRuns: 3_000 },
    );
  });

  test("that is JSON but for one character is taken exactly if JSON.parse takes it", () => {
    fc.assert(
      fc.property(written, fc.nat(), fc.option(marks), (text, at, mark) => {
        const place = at % text.length;
        const changed = `${text.slice(0, place)}${mark ?? ""}${text.slice(place + 1)}`;
        expect(passed(changed) !== null).toBe(isJson(changed));
      }),
      { numRuns: 1_000 },
    );
  });
});

test("passing over takes no stack", () => {
  const deep = `${'{"a":['.repeat(100_000)}1${"]}".repeat(100_000)}`;
  expect(passed(deep)).toBe(deep);
});

test("a fault names its place, and nothing of the text", () => {
  const text = '{\n  "secret": "s3cret", oops }';
  expect(() => new JsonScanner(text).pass()).toThrow(
    "the body is not JSON: expected a name in double quotes at line 2, column 23",
  );
});
