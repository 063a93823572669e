// Until a function accepts connections and answers, against a bare Node server.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { backupEnvironment } from "../test/support/function-process.ts";
import type { OwnServer } from "../test/support/postgres.ts";
import { imageEnvironment, measure, median, type Measure } from "./measure.ts";

const STARTS = 25;

type Start = { readonly acceptingMs: number; readonly answeringMs: number };

const BARE = `const server = require("node:http").createServer((_, response) => response.end());
server.listen(0, () => process.stdout.write(JSON.stringify({ message: "listening", port: server.address().port }) + "\\n"));`;

/** Both take turns, so that a slow moment of the machine meets both. */
export async function startUp(server: OwnServer, folder: string): Promise<Measure[]> {
  const [ours, bare]: [Start[], Start[]] = [[], []];
  const image = await imageEnvironment();
  const environment = { ...image, ...backupEnvironment(server, "small", folder) };
  for (let start = 0; start < STARTS; start++) {
    bare.push(await timeStart(["-e", BARE], image));
    ours.push(await timeStart(["dist/backup/index.mjs"], environment));
  }
  const compared = (name: string, limit: number, pick: (start: Start) => number) =>
    measure({
      name,
      unit: "ms",
      ours: median(ours.map(pick)),
      reference: median(bare.map(pick)),
      referenceName: "bare node:http",
      limit,
    });
  return [
    compared("start to accepting", 2, ({ acceptingMs }) => acceptingMs),
    compared("start to first answer", 6, ({ answeringMs }) => answeringMs),
  ];
}

/** Connections are accepted when the first line says so; requests may wait longer. */
async function timeStart(args: string[], env: Readonly<Record<string, string>>): Promise<Start> {
  const begun = performance.now();
  const child = spawn(process.execPath, args, { env: { ...env }, stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const acceptingMs = performance.now() - begun;
  const { port } = JSON.parse(String(line)) as { port: number };
  await fetch(`http://127.0.0.1:${port}/health/readiness`, { headers: { connection: "close" } });
  const answeringMs = performance.now() - begun;
  child.kill("SIGKILL");
  await once(child, "exit");
  return { acceptingMs, answeringMs };
}
