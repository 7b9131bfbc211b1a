// One thread of a campaign: takes jobs, answers with what came of them.

import { parentPort } from "node:worker_threads";
import { type Job, runJob } from "./job.ts";

const port = parentPort;
if (port === null) throw new Error("this is a thread of a campaign (pool.ts)");
port.on("message", (job: Job) => port.postMessage(runJob(job)));
