// The folder of package.json, seen from the sources and from the build alike: deploy/ lies one
// below it, dist/deploy/ two.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

export function packageRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json"))) {
    const above = dirname(folder);
    if (above === folder) throw new Error(`no package.json above ${import.meta.dirname}`);
    folder = above;
  }
  return folder;
}
