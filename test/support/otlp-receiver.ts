// An OTLP/HTTP receiver for tests: decodes the protobuf that Jaeger would get.
//
// Guarantees: field numbers are those of opentelemetry.proto.collector.trace.v1; spans are kept in
// the order they arrive; `until` resolves on arrival, so no test sleeps.
// Does not own: metrics and logs (answered 404, so that an exporter that sends them is noticed).

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { BinaryReader } from "@bufbuild/protobuf/wire";

export type AttributeValue = string | number | boolean | readonly AttributeValue[];

export interface ReceivedSpan {
  readonly service: string;
  readonly instance: string;
  readonly traceId: string;
  readonly spanId: string;
  /** "" for a root. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly events: readonly string[];
  /** Trace id and span id of each. */
  readonly links: readonly string[];
  /** 0 unset, 1 ok, 2 error. */
  readonly statusCode: number;
}

type Fields = Record<number, (reader: BinaryReader) => void>;

function readMessage(bytes: Uint8Array, fields: Fields): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    const read = fields[field];
    if (read === undefined) reader.skip(wireType);
    else read(reader);
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function readValue(bytes: Uint8Array): AttributeValue {
  let value: AttributeValue = "";
  readMessage(bytes, {
    1: (r) => {
      value = r.string();
    },
    2: (r) => {
      value = r.bool();
    },
    3: (r) => {
      value = Number(r.int64());
    },
    4: (r) => {
      value = r.double();
    },
    5: (r) => {
      const list: AttributeValue[] = [];
      readMessage(r.bytes(), { 1: (inner) => list.push(readValue(inner.bytes())) });
      value = list;
    },
  });
  return value;
}

function readAttribute(bytes: Uint8Array, into: Record<string, AttributeValue>): void {
  let key = "";
  let value: AttributeValue = "";
  readMessage(bytes, {
    1: (r) => {
      key = r.string();
    },
    2: (r) => {
      value = readValue(r.bytes());
    },
  });
  into[key] = value;
}

function readSpan(bytes: Uint8Array, resource: Record<string, AttributeValue>): ReceivedSpan {
  const attributes: Record<string, AttributeValue> = {};
  const events: string[] = [];
  const links: string[] = [];
  const span = { traceId: "", spanId: "", parentSpanId: "", name: "", kind: 0, statusCode: 0 };
  let startNs = 0n;
  let endNs = 0n;
  readMessage(bytes, {
    1: (r) => {
      span.traceId = hex(r.bytes());
    },
    2: (r) => {
      span.spanId = hex(r.bytes());
    },
    4: (r) => {
      span.parentSpanId = hex(r.bytes());
    },
    5: (r) => {
      span.name = r.string();
    },
    6: (r) => {
      span.kind = r.int32();
    },
    7: (r) => {
      startNs = BigInt(r.fixed64());
    },
    8: (r) => {
      endNs = BigInt(r.fixed64());
    },
    9: (r) => readAttribute(r.bytes(), attributes),
    11: (r) =>
      readMessage(r.bytes(), {
        2: (inner) => {
          events.push(inner.string());
        },
      }),
    13: (r) => {
      const link = { traceId: "", spanId: "" };
      readMessage(r.bytes(), {
        1: (inner) => {
          link.traceId = hex(inner.bytes());
        },
        2: (inner) => {
          link.spanId = hex(inner.bytes());
        },
      });
      links.push(`${link.traceId} ${link.spanId}`);
    },
    15: (r) =>
      readMessage(r.bytes(), {
        3: (inner) => {
          span.statusCode = inner.int32();
        },
      }),
  });
  const service = String(resource["service.name"] ?? "");
  const instance = String(resource["service.instance.id"] ?? "");
  return { ...span, startNs, endNs, attributes, events, links, service, instance };
}

/** Decodes one ExportTraceServiceRequest. */
export function decodeTraces(bytes: Uint8Array): readonly ReceivedSpan[] {
  const spans: ReceivedSpan[] = [];
  const readResourceSpans = (resourceSpans: Uint8Array): void => {
    const resource: Record<string, AttributeValue> = {};
    const scopes: Uint8Array[] = [];
    readMessage(resourceSpans, {
      1: (r) => readMessage(r.bytes(), { 1: (inner) => readAttribute(inner.bytes(), resource) }),
      2: (r) => scopes.push(r.bytes()),
    });
    for (const scope of scopes) {
      readMessage(scope, { 2: (r) => spans.push(readSpan(r.bytes(), resource)) });
    }
  };
  readMessage(bytes, { 1: (r) => readResourceSpans(r.bytes()) });
  return spans;
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array));
  const body = Buffer.concat(chunks);
  return request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
}

export interface OtlpReceiver {
  /** The value for OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly endpoint: string;
  readonly spans: readonly ReceivedSpan[];
  /** Resolves once the spans so far satisfy the condition; rejects when time is over. */
  until(isEnough: (spans: readonly ReceivedSpan[]) => boolean, timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const waiters = new Set<() => void>();
  const server: Server = createServer((request, response) => {
    bodyOf(request).then(
      (body) => {
        if (request.url !== "/v1/traces") {
          response.writeHead(404).end();
          return;
        }
        spans.push(...decodeTraces(body));
        response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
        for (const wake of [...waiters]) wake();
      },
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    spans,
    until: (isEnough, timeoutMs) =>
      new Promise((resolve, reject) => {
        const end = (finish: () => void): void => {
          clearTimeout(timer);
          waiters.delete(check);
          finish();
        };
        const check = (): void => {
          if (isEnough(spans)) end(resolve);
        };
        const timer = setTimeout(
          () =>
            end(() => reject(new Error(`not enough spans in ${timeoutMs} ms: ${spans.length}`))),
          timeoutMs,
        );
        waiters.add(check);
        check();
      }),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
