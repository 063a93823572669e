import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execaSync } from "execa";
import { ROOT, type Block } from "./pages.ts";
import { freePort, type ServerAddress } from "./postgres.ts";
import { temporaryFolder, type Removed } from "./volume.ts";

/** Those of the pages, which others may have taken on this machine. */
const PORTS = ["8080", "8081", "8082"];
/** What a clone of the project has, as far as the pages need it. */
const CLONE = ["cli", "docs", "functions", "manifests", "node_modules", "package.json", "scripts", "shared"];
/**
 * npm as a reader has it. What it would do a second time is left out: the packages are there, and lie below the tests
 * that run now; test/demo.test.ts runs the demo, and `npm test` is this.
 */
const NPM = `#!/bin/bash
case "$*" in
  ci | test | "run demo") exit ;;
  "test -- "*) find ${join(ROOT, "test")} -path "*$3*" -name "*.test.ts" | grep . ; exit ;;
esac
path=\${PATH#*:}
PATH=$path exec npm "$@"`;
const ABSENT =
  '#!/bin/bash\necho "$0 was called, and the page says that no cluster is needed" >&2; exit 127\n';

/** A person's machine: a home, a clone of the project, a PostgreSQL that psql reaches. */
export type Machine = {
  readonly home: string;
  shell(programs?: Readonly<Record<string, string>>): Promise<PastedShell>;
  /** The same on every shell of this machine. */
  readonly ports: ReadonlyMap<string, number>;
  [Symbol.asyncDispose](): Promise<void>;
};

type PastedShell = {
  /** What it printed to its standard output; rejects when a command of it fails, or a variable is not set. */
  paste(block: Pick<Block, "where" | "text">): Promise<string>;
  /** Ends it, with everything that it started. */
  [Symbol.asyncDispose](): Promise<void>;
};

export async function aMachine(server: ServerAddress): Promise<Machine> {
  const folder: Removed = await temporaryFolder();
  const clone = join(folder.path, "dormouse");
  await mkdir(clone);
  for (const name of CLONE) await symlink(join(ROOT, name), join(clone, name));
  const ports = new Map<string, number>();
  for (const port of PORTS) ports.set(port, await freePort());
  const { PATH = "", NODE_COMPILE_CACHE = "" } = process.env;
  const { host, port, user, password, binDir } = server;
  const env = { NODE_COMPILE_CACHE, LC_ALL: "C.UTF-8", HOME: folder.path, PGHOST: host, PGPORT: `${port}` };
  const login = { PGUSER: user, PGPASSWORD: password };
  let shells = 0;
  return {
    home: folder.path,
    ports,
    async shell(programs = { npm: NPM, kubectl: ABSENT, oc: ABSENT, docker: ABSENT }) {
      const own = join(folder.path, `shell-${shells++}`);
      await mkdir(own);
      for (const [name, script] of Object.entries(programs)) {
        await writeFile(join(own, name), script);
        await chmod(join(own, name), 0o755);
      }
      const path = [own, binDir, PATH].join(":");
      return openShell(clone, { ...env, ...login, PATH: path }, (text) =>
        text.replaceAll(/\b808\d\b/g, (each) => String(ports.get(each) ?? each)),
      );
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** Its shell ends at the first command that fails, which a person would see. */
function openShell(
  cwd: string,
  env: NodeJS.ProcessEnv,
  onThisMachine: (text: string) => string,
): PastedShell {
  const bash = spawn("bash", ["-euo", "pipefail"], { cwd, env, detached: true });
  const ended = once(bash, "exit");
  let [printed, complained] = ["", ""];
  bash.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
    bash.stdout.emit("printed");
  });
  bash.stderr.setEncoding("utf8").on("data", (text: string) => (complained += text));

  const untilPasted = async () => {
    while (!printed.includes("\0")) await once(bash.stdout, "printed");
  };
  return {
    async paste({ where, text }) {
      [printed, complained] = ["", ""];
      const script = Buffer.from(onThisMachine(text)).toString("base64");
      bash.stdin.write(`source <(base64 -d <<<'${script}') </dev/null; printf '\\0'\n`);
      const exit = await Promise.race([untilPasted(), ended]);
      if (exit === undefined) return printed.slice(0, printed.indexOf("\0"));
      throw new Error(
        `${where} ended with ${String(exit[0])}: ${printed}${complained}\n${text}\n${logsIn(cwd)}`,
      );
    },
    async [Symbol.asyncDispose]() {
      if (bash.exitCode === null) bash.stdin.end("jobs -p | xargs -r kill; wait\n");
      await ended;
      // What it had started before it failed.
      try {
        process.kill(-(bash.pid ?? 0), "SIGKILL");
      } catch {
        // There was nothing.
      }
    },
  };
}

function logsIn(cwd: string): string {
  return execaSync("tail", ["-n", "5", ...globSync("*.log", { cwd })], { cwd, reject: false }).stdout;
}
