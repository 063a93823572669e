import assert from "node:assert/strict";
import { execa } from "execa";
import { cp, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { BackupManifest } from "../../shared/backup/manifest.ts";
import type { RestoreResult } from "../../shared/backup/restore-result.ts";
import { freePort } from "../support/postgres.ts";
import { temporaryFolder, type Removed } from "../support/volume.ts";
import { IMAGE } from "./support/kustomization.ts";
import { eventually, kubectl } from "./support/kubectl.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NAMESPACE = `dormouse-pages-${process.pid}`;
/** The only ways in which the cluster of the tests is not the reader's. */
const KOURIER = "-n kourier-system service/kourier-internal";
const INGRESS = process.env["INGRESS"] ?? "-n knative-serving service/ingress";

describe("the commands of the documents, as they stand there", () => {
  let clone: Removed;
  before(async () => {
    clone = await temporaryFolder();
    await cp(join(ROOT, "manifests"), join(clone.path, "manifests"), { recursive: true });
    for (const name of ["package.json", "node_modules", "scripts", "shared"])
      await symlink(join(ROOT, name), join(clone.path, name));
  });
  after(async () => {
    await kubectl(`delete namespace ${NAMESPACE} --ignore-not-found --wait=false`);
    await kubectl(`delete clusterrolebinding ${NAMESPACE}-dormouse-asks-who-calls --ignore-not-found`);
    await clone?.[Symbol.asyncDispose]();
  });

  const shell = async (script: string) => {
    const { stdout } = await execa("bash", ["-euo", "pipefail", "-c", inNamespace(script)], {
      cwd: clone.path,
      env: { IMAGE },
      timeout: 600_000,
    });
    return stdout;
  };

  it("install Dormouse, find nothing at fault, and take a backup at once", async () => {
    const [installing = "", asking = ""] = await blocksOf("README.md", "Install it on Knative");
    // The image is there already, under another name.
    const lines = installing.split("\n").filter((line) => !/^IMAGE=|npm run image/.test(line));
    assert.equal(lines.length, installing.split("\n").length - 2);

    const said = await shell(lines.join("\n"));
    await sql("CREATE TABLE item AS SELECT g AS id FROM generate_series(1, 1000) g");
    // A kubectl that attaches when the pod has just ended prints nothing.
    const manifest = await eventually(
      "the manifest",
      async () => JSON.parse(await shell(asking)) as BackupManifest,
    );

    assert.match(said, /^ok +readiness: Service dormouse-restore is ready$/m);
    assert.doesNotMatch(said, /FAULT/);
    assert.equal(manifest.content.rows, 1000);
  });

  it("bring it back on the day it burns, and take that back", async () => {
    const page = "docs/on-the-day-it-burns.md";
    const [opening = ""] = await blocksOf(page);
    const port = await freePort();
    const ask = async (heading: string) => {
      const [block = ""] = await blocksOf(page, heading);
      const asked = block.replace(/hets2026[\w-]+\.bak/, file).replace("restore-3f0c...", run);
      const patience = "until curl -s -o /dev/null localhost:8080; do sleep 0.2; done";
      const quiet = opening.replace("8080:80 &", "8080:80 >/dev/null &");
      const script = ["trap 'kill $(jobs -p)' EXIT", quiet, patience, asked].join("\n");
      return shell(script.replace(KOURIER, INGRESS).replace(/\b8080\b/g, `${port}`));
    };
    let [file, run] = ["", ""];

    const [name, rows, level] = (await ask("1. Which backup?")).split("\t");
    file = name?.split("/")[1] ?? "";
    assert.deepEqual([rows, level], ["1000", "read"]);

    await sql("DROP TABLE item");
    assert.match(await ask("2. What will happen?"), /"blockers": \[\]/);

    const restored = (await ask("3. Restore")).split("\n").at(-1) ?? "";
    run = (JSON.parse(restored) as { readonly result: RestoreResult }).result.run;
    assert.equal(await sql("SELECT count(*) FROM item"), "1000");

    await ask("4. Wrong backup, or wrong idea?");
    assert.equal(await sql("SELECT to_regclass('item') IS NULL"), "t");

    const rehearsed = JSON.parse(await ask("Before that day")) as RestoreResult;
    assert.equal(rehearsed.compared?.rows, 1000);
  });
});

/** The shell blocks of a page, or of the part below one of its headings. */
async function blocksOf(page: string, heading?: string): Promise<readonly string[]> {
  const text = await readFile(join(ROOT, page), "utf8");
  const parts = text.split(/^## /m);
  const part = heading === undefined ? text : parts.find((each) => each.startsWith(`${heading}\n`));
  assert.ok(part !== undefined, `${page} has no part "${heading}"`);
  return Array.from(part.matchAll(/^( *)```sh\n(.*?)^ *```/gms), ([, indent = "", block = ""]) =>
    block.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
  );
}

function inNamespace(script: string): string {
  return script.replaceAll(/\bhets\b/g, NAMESPACE);
}

function sql(statement: string): Promise<string> {
  const psql = ["psql", "-h", "/var/run/postgresql", "-U", "hets", "-XAtqc", statement, "hets"];
  return kubectl(`-n ${NAMESPACE} exec postgresql-0 --`, psql);
}
