// `npm run build`: dist/, as it is published and as the image runs it.
//
// Guarantees: dist/ holds nothing of an earlier build; what the sources read at run time beside
// themselves is copied next to them.

import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "./package-root.ts";
import { runStep } from "./run-step.ts";

/** Read by transport/descriptor-set.ts, for reflection and for HTTP. */
const ASSETS = ["protos/gen/descriptor.binpb"];

const root = packageRoot();
rmSync(join(root, "dist"), { recursive: true, force: true });
const { code } = await runStep(["tsc", "--project", "deploy/tsconfig.build.json"]);
if (code !== 0) process.exit(code);
for (const asset of ASSETS) cpSync(join(root, asset), join(root, "dist", asset));
