import assert from "node:assert/strict";
import axe from "axe-core";
import type { Page } from "playwright-core";

/** Fails for what violates WCAG 2.2 AA. */
export async function assertAccessible(page: Page, what: string): Promise<void> {
  // By the devtools: the page's own policy lets no script in.
  const found = await page.evaluate(
    `${axe.source}; axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] })`,
  );
  const { violations, passes } = found as axe.AxeResults;
  assert.ok(passes.length > 10, what);
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  assert.deepEqual(told, [], what);
}
