// The version of this program, from the one place where it is written: package.json.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "./package-root.ts";

const text = readFileSync(join(packageRoot(), "package.json"), "utf8");
const { version } = JSON.parse(text) as { readonly version: string };

export const VERSION: string = version;
