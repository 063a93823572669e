import assert from "node:assert/strict";
import { it } from "node:test";
import { blocksOf } from "../support/pages.ts";
import { recordSession, shapeOf } from "../support/recorded-session.ts";

it("the README's session of a terminal is one of today's program: npm run screenshots records it anew", async () => {
  const session = await recordSession();

  const shown = (await blocksOf("README.md")).find(({ text }) => text.startsWith("$ kubectl dormouse"));
  assert.deepEqual(shapeOf(shown?.text ?? ""), shapeOf(session), session);
});
