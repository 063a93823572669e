import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { pageFiles } from "../../cli/console/page-files.ts";
import { lackOfBrowser, startBrowser } from "../support/browser.ts";
import { startConsole, type ConsoleProcess } from "../support/console.ts";
import { fillVolume } from "../support/culled.ts";
import { backupEnvironment, startFunction } from "../support/function-process.ts";
import { sharedServer } from "../support/postgres.ts";
import { standIn } from "../support/stand-in.ts";
import { temporaryFolder } from "../support/volume.ts";

const SKIP = (await lackOfBrowser()) ?? false;
const MAX_BYTES = 150_000;
const NO_BACKUPS = { backups: [], legacy: [], foreign: [], undo: [] };
const DUMPING = {
  dumping: "hets",
  bytes: 2 ** 30,
  expectedBytes: 2 ** 32,
  bytesPerSecond: 30 * 2 ** 20,
  remainingSeconds: 95,
};
const HTML = "<img src=x onerror=document.title='executed'>";

describe("the console's page in trouble", { skip: SKIP }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startBrowser();
  });
  after(() => browser?.close());

  async function open(console: ConsoleProcess): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(await console.address());
    return page;
  }

  for (const [what, status, type, body, says] of [
    ["500, in the words of an ingress", 500, "text/html", "<b>upstream</b>", /status 500: <b>upstream<\/b>/],
    [
      "401, in its own words",
      401,
      "application/problem+json",
      '{"code":"unauthenticated","detail":"the token is of another audience","hint":"make one for dormouse"}',
      /unauthenticated the token is of another audience\s*make one for dormouse/,
    ],
    [
      "what is no JSON",
      200,
      "text/html",
      "<script>document.title=1</script>",
      /answered with what is no JSON/,
    ],
  ] as const)
    it(`shows code, sentence and hint where a function answers ${what}`, async () => {
      await using backup = await standIn(
        (_, told) => void told.writeHead(status, { "content-type": type }).end(body),
      );
      await using console = await startConsole(`backup=${backup.url}`);
      const page = await open(console);

      assert.match((await page.getByRole("alert").innerText()).replaceAll("\n", " "), says);
      assert.equal(await page.title(), "Dormouse");
      await page.close();
    });

  it("says what it waits for, and how long, while a function does not answer", async () => {
    await using backup = await standIn(() => undefined);
    await using console = await startConsole(`backup=${backup.url}`);
    const page = await open(console);

    await page.getByText(/Asking the functions\. They sleep until .* [1-9]\d* s so far\./).waitFor();
    await page.close();
  });

  it("shows how far a long step is in words beside its bar, and at its end the code, the sentence and the hint", async () => {
    const running: ServerResponse[] = [];
    const tell = (answer: ServerResponse, line: object) => answer.write(`${JSON.stringify(line)}\n`);
    await using backup = await standIn(({ method, url }, answer) => {
      const isAsked = method === "POST";
      answer.writeHead(200, { "content-type": isAsked ? "application/x-ndjson" : "application/json" });
      if (!isAsked) return void answer.end(JSON.stringify(url === "/runs" ? { runs: [] } : NO_BACKUPS));
      running.push(answer);
      tell(answer, { type: "run", run: `backup-${"0".repeat(24)}` });
      tell(answer, { type: "step", step: "progress", at: "2026-11-28T01:00:00.000Z", detail: DUMPING });
    });
    await using console = await startConsole(`backup=${backup.url}`);
    const page = await open(console);
    await page.getByRole("button", { name: "Back up now" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Back up now" }).click();
    await page
      .getByText(/^dumping hets: 1\.0 GiB of about 4\.0 GiB, 30\.0 MiB\/s, 1 min 35 s left$/)
      .waitFor();

    assert.equal(await page.getByRole("progressbar").getAttribute("value"), `${DUMPING.bytes}`);
    for (const answer of running) {
      tell(answer, { type: "problem", code: "disk_full", detail: "the volume is full", hint: "make room" });
      answer.end();
    }
    const alert = page.getByRole("dialog").getByRole("alert");
    assert.match((await alert.innerText()).replaceAll("\n", " "), /disk_full the volume is full\s*make room/);
    await page.close();
  });

  it("says so if nothing answers, and looks again on a click", async () => {
    await using console = await startConsole("backup=http://127.0.0.1:1");
    const page = await open(console);
    await page.getByText("does not answer at 127.0.0.1:1").waitFor();

    await page.getByRole("button", { name: "Look again" }).click();

    await page.getByText("does not answer at 127.0.0.1:1").waitFor();
    await page.close();
  });

  it("says what to do in a tab without a session, and after the end of the console", async () => {
    await using console = await startConsole("backup=http://127.0.0.1:1");
    const stranger = await browser.newPage();
    await stranger.goto(console.origin);
    await stranger.getByText("this tab was not opened by the console").waitFor();
    const page = await open(console);
    await page.getByText("does not answer").waitFor();
    await console.end("SIGTERM");
    await page.getByRole("button", { name: "Look again" }).click();

    await page.getByText("start it again in a terminal: dormouse console").waitFor();
    await page.close();
    await stranger.close();
  });

  it("shows a catalog of 2,000 backups page by page, finds one in it, and executes no name of a database", async () => {
    await using volume = await temporaryFolder();
    await fillVolume(volume.path, 2_000, (index) => (index === 0 ? { database: HTML } : {}));
    const server = await sharedServer();
    await using backup = await startFunction("backup", backupEnvironment(server, "hets", volume.path));
    await using console = await startConsole(`backup=${backup.url}`);
    const page = await open(console);
    await page.getByText("2,000 backups", { exact: true }).waitFor();

    assert.ok((await page.locator("button.row").count()) < 100, "the table is drawn in part");
    await page.getByLabel("Name or label").fill("2025-11-07");

    await page.getByText("1 of 2,000 backups").waitFor();
    await page.getByRole("heading", { name: HTML, exact: true }).waitFor();
    assert.equal(await page.title(), "Dormouse");
    await page.close();
  });
});

it("the console's page is small", async () => {
  const sizes = Object.values(await pageFiles()).map(({ content }) => gzipSync(content).length);

  assert.ok(sizes.reduce((sum, size) => sum + size, 0) < MAX_BYTES, sizes.join());
});
