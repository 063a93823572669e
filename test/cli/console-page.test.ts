import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { Browser, Page } from "playwright-core";
import { assertAccessible } from "../support/accessible.ts";
import { lackOfBrowser, startBrowser } from "../support/browser.ts";
import { addNights, setConsoleStage, type ConsoleStage } from "../support/console-stage.ts";
import { startConsole, type ConsoleProcess } from "../support/console.ts";
import { REPLICAS } from "../support/restore-cluster.ts";

const HTML = `<img src=x onerror="document.title='executed'"><script>document.title='executed'</script>`;
const SKIP = (await lackOfBrowser()) ?? false;

/** One browser and one tab, on real functions; each test finds the page as the one before left it. */
describe("the console's page", { skip: SKIP }, () => {
  let given: ConsoleStage;
  let console: ConsoleProcess;
  let browser: Browser;
  let page: Page;
  let database: string;
  const faults: string[] = [];
  before(async () => {
    [given, browser] = await Promise.all([setConsoleStage(), startBrowser()]);
    ({ database } = given.stage);
    await addNights(given, [{ ago: 4 }, { ago: 3, share: 0.3 }, { ago: 1 }]);
    console = await startConsole(given.url);
    page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
    // Of a step on a machine that does much else.
    page.setDefaultTimeout(120_000);
    page.on("pageerror", (error) => faults.push(error.message));
    // What the policy forbids is logged there.
    page.on("console", (message) => void (message.type() === "error" && faults.push(message.text())));
    await page.goto(await console.address());
  });
  after(async () => {
    await browser?.close();
    await console?.[Symbol.asyncDispose]();
    await given?.[Symbol.asyncDispose]();
  });

  // What a test that failed has left open would be in the way of all that follow.
  beforeEach(() => page.keyboard.press("Escape"));

  const button = (name: string | RegExp) => page.getByRole("button", { name });
  const dialog = () => page.getByRole("dialog");
  const closeDialog = () => dialog().getByRole("button", { name: "Close" }).click();
  const rowOf = (name: string) => page.getByRole("row", { name: new RegExp(name.split("/").at(-1) ?? name) });
  /** After the page was given the catalog anew. */
  const settled = () => page.getByText(/^as of/).waitFor();

  it("says at one glance that all is well, and shows a missed and a suspect night", async () => {
    await page.getByRole("heading", { name: "All is well. There is nothing to do." }).waitFor();

    const summary = await page.getByText(/with a backup;/).textContent();
    assert.match(summary ?? "", /^4 days with a backup; 1 missed \([\d-]+\); 1 suspect \([\d-]+\)$/);
    assert.equal(await page.locator("rect.missed").count(), 3, "one in each chart");
    assert.equal(new URL(page.url()).hash, "", "the key is gone from the address");
  });

  it("backs up with label and pin, shows each step, and executes nothing of the label", async () => {
    await button("Back up now").click();
    await page.getByLabel(/^Label/).fill(HTML);
    await page.getByLabel(/^Pin it/).check();
    await page.getByLabel("Why it is pinned").fill("before the upgrade");
    await dialog().getByRole("button", { name: "Back up now" }).click();
    await dialog().getByText("The backup is there, and proved").waitFor();

    assert.match(
      (await dialog().locator(".steps").textContent()) ?? "",
      /dumped .*read to its end.*the bucket has/,
    );
    await closeDialog();
    await page.getByText(HTML, { exact: true }).waitFor();
    await page.getByText("pinned", { exact: true }).waitFor();
    assert.equal(await page.title(), "Dormouse");
  });

  it("opens a backup by keyboard: manifest, rows against the one before, how to restore it by hand", async () => {
    const row = rowOf(given.stage.backup.name);
    await row.getByRole("button").focus();
    await page.keyboard.press("Enter");

    await page.getByText(given.stage.backup.archive.sha256, { exact: true }).waitFor();
    assert.match((await page.getByLabel("Command that restores").textContent()) ?? "", /pg_restore/);
    await page.getByText("hire.equipment").first().waitFor();
    await row.getByRole("button").press("Enter");
  });

  it("pins a backup with its reason", async () => {
    await rowOf(given.stage.backup.name).getByRole("button").click();
    await page.getByRole("button", { name: "Pin", exact: true }).click();
    await dialog().getByLabel("Why").fill("the audit");
    await button("Pin it").click();

    await page.getByText(/ by .*: the audit$/).waitFor();
    await button("Unpin").click();
    await button("Unpin it").click();
    await page.getByText(/: the audit$/).waitFor({ state: "detached" });
    await rowOf(given.stage.backup.name).getByRole("button").click();
  });

  it("shows what stands in the way of a restore, and its remedy, and lets nothing be begun", async () => {
    await given.stage.query(
      database,
      "CREATE SUBSCRIPTION standby CONNECTION 'host=none' PUBLICATION p WITH (connect = false)",
    );
    try {
      await button("Plan and restore").first().click();
      await dialog().getByText("This restore would be refused. Nothing was touched.").waitFor();

      assert.match((await dialog().getByRole("alert").textContent()) ?? "", /standby/);
      assert.equal(await dialog().getByRole("textbox").count(), 0);
      await assertAccessible(page, "a plan with blockers");
      await closeDialog();
    } finally {
      await given.stage.query(database, "ALTER SUBSCRIPTION standby SET (slot_name = NONE)");
      await given.stage.query(database, "DROP SUBSCRIPTION standby");
    }
  });

  it("restores by the typed name, with its workloads, and undoes that with the time left", async () => {
    await given.stage.destroyData();
    const destroyed = await given.stage.fingerprint();
    const opener = button("Plan and restore").first();
    await opener.focus();
    await page.keyboard.press("Enter");
    const typed = dialog().getByRole("textbox");
    const restore = dialog().getByRole("button", { name: `Restore ${database}` });
    await typed.fill("another");
    assert.equal(await restore.isDisabled(), true);
    await typed.fill(database);
    await page.keyboard.press("Enter");
    await dialog().getByText("Restored: the application runs").waitFor();

    const told = (await dialog().textContent()) ?? "";
    assert.match(told, /has stopped.*has stopped.*the restored database is live.*is ready/);
    assert.match(told, /Counted: [\d,]+ rows.*Downtime: .*undo restore-[0-9a-f]{24}/);
    assert.deepEqual(await given.stage.fingerprint(), given.stage.original);
    assert.deepEqual(given.cluster.replicas(), REPLICAS);
    await assertAccessible(page, "the end of a restore");
    await page.keyboard.press("Escape");
    await page.getByText(/is kept for another 4[78] h/).waitFor();
    await button("Undo the restore").click();
    await dialog().getByRole("textbox").fill(database);
    await page.keyboard.press("Enter");
    await dialog().getByText("Taken back").waitFor();
    assert.deepEqual(await given.stage.fingerprint(), destroyed);
    await closeDialog();
  });

  it("rehearses, and then shows how long it takes to be back", async () => {
    await settled();
    await button("Rehearse").first().click();
    await dialog().getByText("Rehearsed: the backup can be restored.").waitFor();
    await closeDialog();

    await page.getByText(/^about [\d.]+ s$/).waitFor();
  });

  it("asks for a look at a suspect backup, compares it, and takes an acknowledgement with its reason", async () => {
    await given.stage.query(database, "DROP SCHEMA hire CASCADE");
    await button("Back up now").first().click();
    await dialog().getByRole("button", { name: "Back up now" }).click();
    await dialog().getByText("The backup is there, and proved").waitFor();
    await closeDialog();
    await page.getByRole("heading", { name: "There is something to do." }).waitFor();
    await assertAccessible(page, "a suspect backup");

    await button("Compare with the one before").click();
    await dialog()
      .getByRole("row", { name: /hire\.equipment went/ })
      .waitFor();
    await closeDialog();
    await page.getByLabel("Is everything all right?").getByRole("button", { name: "Acknowledge" }).click();
    await page.getByLabel("Why").fill("the schema moved");
    await button("Acknowledge it").click();

    await page.getByRole("heading", { name: "All is well. There is nothing to do." }).waitFor();
    await page.getByText("acknowledged", { exact: true }).waitFor();
  });

  it("unpins, filters, sorts, and compares two rows", async () => {
    await page.getByLabel("Pinned only").check();
    await page.getByText(/^1 of \d+ backups$/).waitFor();
    await page.locator("button.row").click();
    await button("Unpin").click();
    await button("Unpin it").click();
    await page.getByText(/^0 of/).waitFor();
    await page.getByLabel("Pinned only").uncheck();
    await button(/^Rows/).click();

    assert.equal(
      await page.getByRole("columnheader", { name: /^Rows/ }).getAttribute("aria-sort"),
      "descending",
    );
    const boxes = page.getByRole("checkbox", { name: /^Compare/ });
    await boxes.first().check();
    await boxes.last().check();
    await button("Compare the two").click();
    await dialog().getByText("What changed").waitFor();
    await closeDialog();
  });

  it("shows runs with their steps, and what the doctor found", async () => {
    await page.locator(".runs summary").first().click();
    await page.locator(".runs .steps li").first().waitFor();
    await button("Examine what the functions need").click();
    await page.getByText(/at fault\.$/).waitFor();

    assert.match(
      (await page.locator(".findings").textContent()) ?? "",
      /backup, volume: .*cull, volume: .*restore, volume: /,
    );
  });

  for (const scheme of ["light", "dark"] as const)
    it(`violates nothing of WCAG 2.2 AA: ${scheme}`, async () => {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      await assertAccessible(page, "the page");
      await page.locator("button.row").first().click();
      await assertAccessible(page, "a backup that is opened");
      await button("Back up now").first().click();
      await assertAccessible(page, "a dialog");
      await closeDialog();
      await page.locator("button.row").first().click();
    });

  for (const [what, width] of [
    ["360 px", 360],
    ["200 % of 1280 px", 640],
  ] as const)
    it(`fits into ${what}, and nothing leaves it to the side`, async () => {
      await page.setViewportSize({ width, height: 800 });
      await page.locator("button.row").first().click();

      const wide = await page.evaluate("document.documentElement.scrollWidth");
      assert.equal(wide, width);
      await assertAccessible(page, what);
      await page.locator("button.row").first().click();
    });

  it("broke no rule of its own policy, and threw nothing", () => {
    assert.deepEqual(faults, []);
  });
});
