import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { CommanderError } from "commander";
import { EXIT, Failure, wrongUsage, type Exit } from "./failure.ts";
import { outputTo, type Output } from "./output.ts";
import { programOf, type GlobalOptions, type WithSession } from "./program.ts";
import { directAccess, sessionOf, type Access } from "./session.ts";
import { version } from "../shared/version.ts";

const { env } = process;
/** As a plugin of kubectl or oc the file is called kubectl-dormouse, and people call it otherwise. */
const isPlugin = basename(process.argv[1] ?? "").startsWith("kubectl-");
const program = isPlugin ? "kubectl dormouse" : "dormouse";

/** What the client of the Kubernetes API needs, by its package `undici`. */
const OLDEST_NODE = "22.19";

let output: Output = outputTo(process, env, { json: false, quiet: false });

const within: WithSession = async (options, work) => {
  output = outputTo(process, env, { json: options.json === true, quiet: options.quiet === true });
  await using access = await openAccess(options);
  process.exitCode = await work(sessionOf(output, access, program));
};

async function openAccess(options: GlobalOptions): Promise<Access> {
  const { url } = options;
  const file = env["DORMOUSE_TOKEN_FILE"];
  const token = file === undefined || file === "" ? undefined : () => tokenIn(file);
  if (url !== undefined) return directAccess(url, token ?? (async () => undefined));
  const { clusterAccess } = await import("./access/cluster-access.ts");
  return clusterAccess(options, output, token);
}

async function tokenIn(path: string): Promise<string> {
  const token = await readFile(path, "utf8").catch((error: unknown) => {
    throw wrongUsage(`DORMOUSE_TOKEN_FILE names ${path}, which cannot be read`, String(error));
  });
  return token.trim();
}

function exitFor(error: unknown): Exit {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.good : EXIT.usage;
  if (!(error instanceof Failure)) {
    output.complain(
      `this is a fault of the program itself: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    return EXIT.failed;
  }
  const { message, code, hint, problem, exit } = error;
  if (output.isJson) output.json(problem ?? { code, detail: message, hint });
  output.complain(output.style("red", code === undefined ? message : `${code}: ${message}`));
  if (hint !== undefined) output.complain(hint);
  return exit;
}

function refuseOldNode(version: string): void {
  const isOld = version.localeCompare(OLDEST_NODE, "en", { numeric: true }) < 0;
  if (isOld)
    throw wrongUsage(`this is Node ${version}, which is too old`, `install Node ${OLDEST_NODE} or later`);
}

async function main(): Promise<void> {
  try {
    refuseOldNode(process.versions.node);
    await programOf("dormouse", version, within).parseAsync();
  } catch (error) {
    process.exitCode = exitFor(error);
  }
}

void main();
