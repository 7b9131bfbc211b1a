// No transform: jest strips the types itself. One config for all layers; the layer is the folder.
export default {
  testEnvironment: "node",
  roots: ["<rootDir>/test"],
  transform: {},
  extensionsToTreatAsEsm: [".ts"],
  coverageProvider: "v8",
};
