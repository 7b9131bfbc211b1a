// Member ids: a name and a disk, told apart.

import { expect, test } from "@jest/globals";
import {
  isMemberId,
  isNodeName,
  memberId,
  nameOf,
  storeIdOf,
} from "../../../transport/member-id.ts";

test("An id is a name and a disk, and gives both back.", () => {
  const id = memberId("n-1_a", "0a1b2c3d");
  expect(id).toBe("n-1_a#0a1b2c3d");
  expect([nameOf(id), storeIdOf(id), isMemberId(id)]).toEqual(["n-1_a", "0a1b2c3d", true]);
});

test("A bare name is a name without a disk, and no member.", () => {
  expect([nameOf("n1"), storeIdOf("n1"), isMemberId("n1")]).toEqual(["n1", "", false]);
});

test.each(["", "#0a1b2c3d", "n1#", "n1#0A1B2C3D", "n1#0a1b2c3", "n1#0a1b2c3d#", "n.1#0a1b2c3d"])(
  "%j is no member id.",
  (text) => {
    expect(isMemberId(text)).toBe(false);
  },
);

test("None is made of what is no name or no store id.", () => {
  expect(isNodeName("x".repeat(64))).toBe(true);
  expect(() => memberId("x".repeat(65), "0a1b2c3d")).toThrow("name");
  expect(() => memberId("n#1", "0a1b2c3d")).toThrow("name");
  expect(() => memberId("n1", "xyz")).toThrow("store id");
});
