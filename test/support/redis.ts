// A private Redis for tests: a quarter of a second to start, so each file has its own.
//
// Guarantees: stopped after the test file's last test, also when tests fail, and with the test
// process if that dies.

import { type LocalRedis, startRedis as startLocalRedis } from "../../deploy/local/redis.ts";
import { temporaryFolder } from "./folder.ts";
import { atEnd } from "./teardown.ts";

export type TestRedis = LocalRedis;

const START_ATTEMPTS = 2;

export async function startRedis(): Promise<TestRedis> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const redis = await startLocalRedis({ dir: temporaryFolder("redis") });
      atEnd(() => redis.stop());
      return redis;
    } catch (error) {
      // The port may have been taken between choosing and binding it: once more with another.
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}
