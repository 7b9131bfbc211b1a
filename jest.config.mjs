// No transform: jest strips the types itself. One config for all layers; the layer is the folder.
export default {
  testEnvironment: "node",
  roots: ["<rootDir>/test"],
  globalSetup: "<rootDir>/test/support/global-setup.ts",
  globalTeardown: "<rootDir>/test/support/global-teardown.ts",
  transform: {},
  extensionsToTreatAsEsm: [".ts"],
  coverageProvider: "v8",
};
