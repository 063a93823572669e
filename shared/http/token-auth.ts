import { createHash, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Authorize } from "./authorize.ts";
import { DormouseError } from "../errors.ts";

type KnownToken = { readonly name: string; readonly hash: Buffer };

/** Fewer could be guessed. */
const MIN_LENGTH = 16;

/**
 * Callers known by a file: a line `name:token` for each, or one bare token. It is read for each request, so that a
 * token that is replaced or removed counts at once; now as well, so that a bad file is noticed at the start.
 */
export async function tokenAuth(path: string): Promise<Authorize> {
  await readTokens(path);
  return async ({ token }) => {
    const known = await readTokens(path);
    if (token === undefined) throw unauthenticated("the request bears no token");
    const hash = hashToken(token);
    // All are compared: the time that it takes reveals nothing.
    const [found] = known.filter((each) => timingSafeEqual(each.hash, hash));
    if (found === undefined) throw unauthenticated("this token is not known");
    return { name: found.name };
  };
}

/** Every caller that reaches the function may do everything. */
export const noAuth: Authorize = async () => ({ name: "anyone" });

async function readTokens(path: string): Promise<readonly KnownToken[]> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw unusable(path, "cannot be read", error);
  });
  const lines = text.split("\n").map((line) => line.trim());
  const tokens = lines
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => parse(path, line));
  if (tokens.length === 0) throw unusable(path, "holds no token");
  return tokens;
}

/** The last colon ends the name: OpenShift calls its people `kube:admin` and `system:serviceaccount:...`. */
function parse(path: string, line: string): KnownToken {
  const colon = line.lastIndexOf(":");
  const [name, token] = [line.slice(0, Math.max(colon, 0)), line.slice(colon + 1)];
  if (token.length < MIN_LENGTH) throw unusable(path, `holds a token of less than ${MIN_LENGTH} characters`);
  if (!/^[\x21-\x7e]+$/.test(token) || !/^[\w.@:-]*$/.test(name))
    throw unusable(path, "has a line with other characters than a name and a token have");
  return { name: name === "" ? "token" : name, hash: hashToken(token) };
}

function hashToken(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

function unusable(path: string, why: string, cause?: unknown): DormouseError {
  return new DormouseError("configuration_invalid", `AUTH_TOKEN_FILE names ${path}, which ${why}`, {
    hint: "give each caller a line NAME:TOKEN; openssl rand -hex 32 makes a token",
    cause,
  });
}

function unauthenticated(why: string): DormouseError {
  return new DormouseError("unauthenticated", why, {
    hint: "send Authorization: Bearer with a token of AUTH_TOKEN_FILE",
  });
}
