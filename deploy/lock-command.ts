// `quorumq lock list`: who holds which key.
//
// Guarantees: as many rows as asked for, over as many pages as it takes.

import type { Lock } from "../protos/gen/quorumq/v1/job_service.ts";
import type { Ask } from "./ask.ts";
import { ExitCode } from "./exit-code.ts";
import { printJson, printTable } from "./print.ts";

const HEAD = ["KEY", "HOLDER", "OWNER", "TOKEN", "UNTIL", "WAITING"] as const;

export async function listLocks(ask: Ask): Promise<ExitCode> {
  const locks = await heldLocks(ask);
  if (ask.form === "json") printJson({ locks });
  else printTable(HEAD, locks.map(rowOf));
  return ExitCode.Ok;
}

async function heldLocks({ connection, options, timeoutMs }: Ask): Promise<readonly Lock[]> {
  const limit = Number(options["limit"]);
  const key = String(options["key"] ?? "");
  const locks: Lock[] = [];
  let pageToken = "";
  while (locks.length < limit) {
    const pageSize = limit - locks.length;
    const page = await connection.jobs.listLocks(
      { pageSize, pageToken, key },
      { timeoutMs: timeoutMs() },
    );
    locks.push(...page.locks);
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  return locks;
}

function rowOf({ key, jobId, lockId, owner, token, leaseExpireTime, waitingCount }: Lock) {
  const until = leaseExpireTime?.toISOString() ?? "";
  return [key, jobId === "" ? lockId : jobId, owner, String(token), until, String(waitingCount)];
}
