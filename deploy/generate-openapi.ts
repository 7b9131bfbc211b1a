// `npm run gen`, its last part: docs/openapi.json, as the server tells it at /openapi.json.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openApiText } from "../transport/http/openapi.ts";
import { packageRoot } from "./package-root.ts";

writeFileSync(join(packageRoot(), "docs", "openapi.json"), openApiText());
