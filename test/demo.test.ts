import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, glob, readdir, readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { until } from "./support/faulty.ts";
import { temporaryFolder } from "./support/volume.ts";

const ADDRESS = /http:\/\/127\.0\.0\.1:\d+\/#\S+/;

describe("npm run demo", () => {
  it("shows a ping, a forced backup, the catalog, a restore and its undoing, a cull, the bucket, and leaves nothing", async () => {
    await using demo = await startDemo();
    const [code] = await demo.ended;

    assert.equal(code, 0, demo.printed());
    const shown = [
      /the daily ping was delivered as a CloudEvent and answered with 202/,
      /published +\d+ ms +\{"backup":"[^"]+\.bak"\}/,
      /a forced backup \(POST \/\) was answered with its manifest/,
      /backup +size +rows +verified/,
      /the data are back, every table's rows with the same hash as before/,
      /and taken back by \{"undo":"restore-[0-9a-f]+"\}/,
      /one ping took \S+shop\S+ \(read\), \S+billing\S+ \(read\)|one ping took \S+billing\S+ \(read\), \S+shop\S+ \(read\)/,
      /the scheduled rehearsal loaded the latest backup of each.*\(compared\).*\(compared\)/,
      /the cull removed those 24/,
      /then the volume was wiped/,
      /all is back, with nothing but the bucket/,
    ];
    for (const line of shown) assert.match(demo.printed(), line);
    assert.deepEqual(await readdir(demo.folder), []);
  });

  it("leaves the functions running behind the console until Ctrl-C, and clears up then", async () => {
    await using demo = await startDemo("--console");
    await until(() => ADDRESS.test(demo.printed()));
    const [address = ""] = ADDRESS.exec(demo.printed()) ?? [];
    const { origin, hash } = new URL(address);
    const key = JSON.stringify({ key: hash.slice(1) });
    const entered = await fetch(`${origin}/session`, { method: "POST", headers: { origin }, body: key });
    const { session } = (await entered.json()) as { session: string };
    const headers = { "x-dormouse-session": session };
    const overview = await (await fetch(`${origin}/overview`, { headers })).text();
    process.kill(-demo.pid, "SIGINT");
    const [code] = await demo.ended;

    assert.match(overview, /"database":"hets"/);
    assert.equal(code, 130);
    await until(async () => (await readdir(demo.folder)).length === 0);
    assert.deepEqual(await processesIn(demo.folder), []);
  });
});

/** In a process group of its own, as in a terminal, and with a folder for whatever it makes. */
async function startDemo(...options: readonly string[]) {
  const folder = await temporaryFolder();
  // PostgreSQL runs as a user of its own where the tests run as root.
  await chmod(folder.path, 0o755);
  const { DORMOUSE_TEST_DIST: _, ...environment } = process.env;
  const child = spawn(process.execPath, ["scripts/demo.ts", ...options], {
    env: { ...environment, TMPDIR: folder.path },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (printed += text));
  return {
    folder: folder.path,
    pid: child.pid ?? 0,
    printed: () => printed,
    ended: once(child, "close") as Promise<[number | null]>,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** The commands that still name the folder, of whatever user. */
async function processesIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const path of glob("/proc/[0-9]*/cmdline")) {
    const command = (await readFile(path, "utf8").catch(() => "")).replaceAll("\0", " ");
    if (command.includes(folder)) found.push(command);
  }
  return found;
}
