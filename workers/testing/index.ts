// What users import from "quorumq/testing": a pipeline for tests of their jobs, without brokers.

export {
  createTestPipeline,
  type TestPipeline,
  type TestPipelineOptions,
} from "./test-pipeline.ts";
