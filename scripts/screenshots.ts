// Makes what the pages show of the program: the pictures of the console in docs/, of a database with a month of backups, as
// three people see it; and the session of a terminal in the README.
// Usage: npm run screenshots
import { readFile, writeFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { lackOfBrowser, startBrowser } from "../test/support/browser.ts";
import { addNights, setConsoleStage } from "../test/support/console-stage.ts";
import { startConsole } from "../test/support/console.ts";
import { startPostgres } from "../test/support/postgres.ts";
import { recordSession } from "../test/support/recorded-session.ts";

type Shot = {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly colorScheme: "light" | "dark";
  /** What is done before. */
  readonly show?: (page: Page) => Promise<void>;
};

const SHOTS: readonly Shot[] = [
  { name: "light", width: 1160, height: 1180, colorScheme: "light" },
  { name: "dark", width: 1160, height: 1180, colorScheme: "dark", show: showPlan },
  { name: "narrow", width: 390, height: 1500, colorScheme: "light" },
];

/** One night was missed, and one lost most of its rows. */
const NIGHTS = Array.from({ length: 28 }, (_, index) => 28 - index)
  .filter((ago) => ago !== 6)
  .map((ago) => (ago === 13 ? { ago, share: 0.3 } : { ago }));

async function showPlan(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Plan and restore" }).first().click();
  await page.getByRole("dialog").getByRole("textbox").fill("het");
}

async function writeSession(): Promise<void> {
  const readme = await readFile("README.md", "utf8");
  const session = await recordSession();
  await writeFile(
    "README.md",
    readme.replace(/(?<=```text\n)\$ kubectl dormouse[^`]*(?=\n```)/, () => session),
  );
  console.log("README.md");
}

async function main(): Promise<void> {
  await writeSession();
  const lack = await lackOfBrowser();
  if (lack !== undefined) throw new Error(lack);
  await using server = await startPostgres();
  await using stage = await setConsoleStage({ server, database: "hets" });
  await addNights(stage, NIGHTS);
  const { backup, restore } = stage.functions;
  await backup.post({ label: "before the upgrade", pin: "until it is proved" });
  await restore.post({ filename: "latest", into: "scratch" });
  await using console_ = await startConsole(stage.url);
  const browser = await startBrowser();
  for (const { name, width, height, colorScheme, show } of SHOTS) {
    const viewport = { width, height };
    const page = await browser.newPage({
      viewport,
      colorScheme,
      locale: "en-CA",
      timezoneId: "America/Vancouver",
    });
    await page.goto(await console_.address());
    await page.getByRole("heading", { name: "Backups" }).waitFor();
    await show?.(page);
    await page.screenshot({ path: `docs/console-${name}.png`, animations: "disabled" });
    await page.close();
    console.log(`docs/console-${name}.png`);
  }
  await browser.close();
}

await main();
