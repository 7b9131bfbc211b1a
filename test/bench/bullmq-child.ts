// One worker process of the bare BullMQ comparison: node bullmq-child.ts URL QUEUE CONCURRENCY
//
// Says "ready" to its parent, then after each turn of the loop how many jobs it has completed.
// Ends when its parent does.

import { Worker } from "bullmq";
import { Redis } from "ioredis";

const [url = "", queue = "", concurrency = "1"] = process.argv.slice(2);
const worker = new Worker(
  queue,
  (job) => Promise.resolve({ message: `Hello ${String(job.data.name)}` }),
  {
    connection: new Redis(url, { maxRetriesPerRequest: null }),
    concurrency: Number(concurrency),
  },
);

let completed = 0;
let isTelling = false;
worker.on("completed", () => {
  completed += 1;
  if (isTelling) return;
  isTelling = true;
  setImmediate(() => {
    isTelling = false;
    process.send?.({ completed });
  });
});
worker.on("error", (error) => process.stderr.write(`${String(error)}\n`));
process.on("disconnect", () => process.exit(0));
await worker.waitUntilReady();
process.send?.({ ready: true });
