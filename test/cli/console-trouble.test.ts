import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { pageFiles } from "../../cli/console/page-files.ts";
import { lackOfBrowser, startBrowser } from "../support/browser.ts";
import { startConsole, type ConsoleProcess } from "../support/console.ts";
import { fillVolume } from "../support/culled.ts";
import { backupEnvironment, startFunction } from "../support/function-process.ts";
import { sharedServer } from "../support/postgres.ts";
import { temporaryFolder } from "../support/volume.ts";

const SKIP = (await lackOfBrowser()) ?? false;
const MAX_BYTES = 150_000;

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

  /** Stands where a function should be, and answers as nothing of ours does. */
  async function standIn(status: number, type: string, body: string): Promise<Server> {
    const server = createServer(
      (_, answer) => void answer.writeHead(status, { "content-type": type }).end(body),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return server;
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
      const server = await standIn(status, type, body);
      await using console = await startConsole(
        `backup=http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      );
      const page = await open(console);

      assert.match((await page.getByRole("alert").innerText()).replaceAll("\n", " "), says);
      assert.equal(await page.title(), "Dormouse");
      await page.close();
      server.close();
    });

  it("says so where nothing answers, and looks again when it is told to", async () => {
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

  it("shows a catalog of 2,000 backups page by page, and finds one in it", async () => {
    await using volume = await temporaryFolder();
    await fillVolume(volume.path, 2_000);
    const server = await sharedServer();
    await using backup = await startFunction("backup", backupEnvironment(server, "hets", volume.path));
    await using console = await startConsole(`backup=${backup.url}`);
    const page = await open(console);
    await page.getByText("2,000 backups", { exact: true }).waitFor();

    assert.ok((await page.locator("button.row").count()) < 100, "the table is drawn in part");
    await page.getByLabel("Name or label").fill("2025-11-07");

    await page.getByText("1 of 2,000 backups").waitFor();
    await page.close();
  });
});

it("the console's page is small", async () => {
  const sizes = Object.values(await pageFiles()).map(({ content }) => gzipSync(content).length);

  assert.ok(sizes.reduce((sum, size) => sum + size, 0) < MAX_BYTES, sizes.join());
});
