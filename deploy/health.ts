// `quorumq health`: for container health checks, so that an image needs no curl.
//
// Guarantees: 0 only if the process next to this one is ready and its event loop turns; for a
// worker also that it takes jobs and hears of a leader, for a node that it leads or hears a leader,
// for a gateway that the quorum answers it, for a console that it knows a leader. Without a health
// file the gateway at --address is asked.

import { connectJobs } from "../transport/grpc/client.ts";
import { ExitCode } from "./exit-code.ts";
import { readHealthFile } from "./health-file.ts";
import type { Config } from "./settings.ts";

const ANSWER_TIMEOUT_MS = 3_000;

export async function checkHealth(config: Config): Promise<ExitCode> {
  const { healthFile } = config;
  if (healthFile === null) return askGateway(config.address);
  const note = readHealthFile(healthFile, Date.now());
  if (note === null) {
    process.stderr.write(`quorumq: ${healthFile} is not kept fresh by anybody\n`);
    return ExitCode.Unreachable;
  }
  if (typeof note.problem === "string") {
    process.stderr.write(`quorumq: ${note.role} ${note.id} takes no work: ${note.problem}\n`);
    return ExitCode.NoQuorum;
  }
  const port = note.ports["grpc"];
  if (port !== undefined) return askGateway(`127.0.0.1:${port}`);
  const httpPort = note.ports["http"];
  return httpPort === undefined ? ExitCode.Ok : askConsole(httpPort);
}

async function askConsole(port: number): Promise<ExitCode> {
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal });
  if (!answer.ok) process.stderr.write(`quorumq: ${await answer.text()}`);
  return answer.ok ? ExitCode.Ok : ExitCode.NoQuorum;
}

/** A refusal is thrown, and becomes the exit code of its reason. */
async function askGateway(address: string): Promise<ExitCode> {
  const connection = connectJobs({ address });
  try {
    await connection.cluster.getCluster({}, { timeoutMs: ANSWER_TIMEOUT_MS });
    return ExitCode.Ok;
  } finally {
    connection.close();
  }
}
