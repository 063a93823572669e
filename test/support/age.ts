import { existsSync } from "node:fs";
import type { TestContext } from "node:test";
import { execa } from "execa";

/** Whether the program `age` can be called; installs it on Debian as root, and skips the test where it cannot be had. */
export async function hasAge(test: TestContext): Promise<boolean> {
  const isThere = async () => !(await execa("age", ["--version"], { reject: false })).failed;
  if (await isThere()) return true;
  if (process.getuid?.() === 0 && existsSync("/etc/debian_version")) {
    await execa("apt-get", ["install", "--yes", "--no-install-recommends", "age"], { reject: false });
    if (await isThere()) return true;
  }
  test.skip("the program age is not installed: on Debian it is the package age");
  return false;
}

export type AgeKey = { readonly identity: string; readonly recipient: string };

export async function ageKey(): Promise<AgeKey> {
  const { generateX25519Identity, identityToRecipient } = await import("age-encryption");
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}
