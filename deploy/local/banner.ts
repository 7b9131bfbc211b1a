// What the local stack says once it is ready: at most ten lines, every address in them.
//
// Guarantees: passwords of the user's own RabbitMQ and Redis are not shown.

import { relative } from "node:path";
import type { Greeting } from "./greeting.ts";

export interface BannerFacts {
  readonly version: string;
  readonly cluster: string;
  readonly nodeCount: number;
  readonly grpc: string;
  readonly consoleUrl: string;
  readonly amqpUrl: string;
  readonly rabbitmqUiUrl: string | null;
  readonly redisUrl: string;
  readonly root: string;
  readonly moved: readonly string[];
  readonly greeting: Greeting;
}

export function bannerOf(facts: BannerFacts): string {
  const { greeting, rabbitmqUiUrl } = facts;
  const root = relative(process.cwd(), facts.root) || ".";
  const pages = rabbitmqUiUrl === null ? "" : `   pages ${rabbitmqUiUrl} (guest / guest)`;
  const nodes = facts.nodeCount === 1 ? "1 node" : `${facts.nodeCount} nodes`;
  const parts = `${nodes}, 1 gateway, 2 workers`;
  const lines = [
    `quorumq ${facts.version} is ready: ${parts}. Ctrl-C stops it.`,
    `  gRPC      ${facts.grpc}`,
    `  REST      ${facts.consoleUrl}/v1/jobs   document ${facts.consoleUrl}/openapi.json`,
    `  RabbitMQ  ${withoutPassword(facts.amqpUrl)}${pages}`,
    `  Redis     ${withoutPassword(facts.redisUrl)}`,
    `  logs      ${root}/logs/*.log   processes ${root}/stack.json   cluster ${facts.cluster}`,
    ...(facts.moved.length === 0 ? [] : [`  moved     ${facts.moved.join(", ")}`]),
    `  greeting  SayHello("world") answered "${greeting.reply}"`,
    `            job ${greeting.jobId}   trace ${greeting.traceId}`,
    `  try       npx quorumq submit greet '{"name":"you"}' --wait${addressFlag(facts.grpc)}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Only needed when it is not where clients look by themselves. */
function addressFlag(grpc: string): string {
  return grpc === "127.0.0.1:50051" ? "" : ` --address ${grpc}`;
}

function withoutPassword(url: string): string {
  const shown = new URL(url);
  shown.username = "";
  shown.password = "";
  return shown.href;
}
