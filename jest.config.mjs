// No transform: jest strips the types itself. One config for all layers; the layer is the folder.

import { availableParallelism } from "node:os";

export default {
  testEnvironment: "<rootDir>/test/support/quick-context.mjs",
  roots: ["<rootDir>/test"],
  globalSetup: "<rootDir>/test/support/global-setup.ts",
  globalTeardown: "<rootDir>/test/support/global-teardown.ts",
  // Two also on two cores, where jest would take one: most files wait for other processes.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  // Each context leaves some megabytes behind, in jest's own environment as well.
  workerIdleMemoryLimit: "700MB",
  testSequencer: "<rootDir>/test/support/longest-first.mjs",
  // Only a hang may end a test, and jest's five seconds are little on a machine that is busy.
  testTimeout: 60_000,
  transform: {},
  extensionsToTreatAsEsm: [".ts"],
  coverageProvider: "v8",
};
