import assert from "node:assert/strict";
import { execa } from "execa";
import { cp, symlink } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import type { RestoreResult } from "../../functions/restore/journal/restore-result.ts";
import { blocksOf, ROOT } from "../support/pages.ts";
import { freePort } from "../support/postgres.ts";
import { temporaryFolder, type Removed } from "../support/volume.ts";
import { IMAGE } from "./support/kustomization.ts";
import { eventually, kubectl } from "./support/kubectl.ts";

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
    const [installing = "", asking = ""] = await commandsOf("README.md", "Install it on Knative");
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
    const [opening = ""] = await commandsOf(page, "On the day it burns");
    const port = await freePort();
    let chosen = "";
    const ask = async (heading: string) => {
      const [asked = ""] = await commandsOf(page, heading);
      const quiet = opening.replace("8080:80 &", "8080:80 >/dev/null &");
      const script = ["trap 'kill $(jobs -p)' EXIT", quiet, chosen, asked].join("\n");
      return shell(script.replace(KOURIER, INGRESS).replace(/\b8080\b/g, `${port}`));
    };

    const [name, rows, level] = (await ask("1. Which backup?")).split("\t");
    chosen = `FILE=${name}`;
    assert.deepEqual([rows, level], ["1000", "read"]);

    await sql("DROP TABLE item");
    assert.match(await ask("2. What will happen?"), /"blockers": \[\]/);

    const restored = (await ask("3. Restore")).split("\n").at(-1) ?? "";
    assert.equal((JSON.parse(restored) as { readonly result: RestoreResult }).result.strategy, "swap");
    assert.equal(await sql("SELECT count(*) FROM item"), "1000");

    await ask("4. Wrong backup, or wrong idea?");
    assert.equal(await sql("SELECT to_regclass('item') IS NULL"), "t");

    const rehearsed = JSON.parse(await ask("Before that day")) as RestoreResult;
    assert.equal(rehearsed.compared?.rows, 1000);
  });
});

/** The shell blocks below a heading of a page. */
async function commandsOf(page: string, heading: string): Promise<readonly string[]> {
  const blocks = (await blocksOf(page)).filter((each) => each.language === "sh" && each.heading === heading);
  assert.ok(blocks.length > 0, `${page} has no commands below "${heading}"`);
  return blocks.map(({ text }) => text);
}

function inNamespace(script: string): string {
  return script.replaceAll(/\bhets\b/g, NAMESPACE);
}

function sql(statement: string): Promise<string> {
  const psql = ["psql", "-h", "/var/run/postgresql", "-U", "hets", "-XAtqc", statement, "hets"];
  return kubectl(`-n ${NAMESPACE} exec postgresql-0 --`, psql);
}
