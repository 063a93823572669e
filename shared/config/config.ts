import * as z from "zod/mini";
import { DormouseError } from "../errors.ts";

/** What the documentation says of a variable, kept beside the rule that checks it. */
export type About = {
  readonly description: string;
  /** Completes "must be ...". */
  readonly allowed: string;
  /** May also come as NAME_FILE, and its value is never shown. */
  readonly isSecret?: boolean;
  /** A path of a file that must be there and hold something: what is empty protects nothing. */
  readonly isFile?: boolean;
  /** What may be set instead: both are a mistake, and neither is one where it is needed. */
  readonly instead?: { readonly name: string; readonly isNeeded: boolean };
};

type Rule = z.core.$ZodType;
export type ConfigSchema = z.core.$ZodObject<Record<string, Rule>>;
export type Environment = Readonly<Record<string, string | undefined>>;

const UNKNOWN: About = { description: "", allowed: "something else" };
const abouts = z.registry<About>();

/** A rule for one variable together with what there is to say of it. */
export function variable<Schema extends Rule>(schema: Schema, about: About): Schema {
  // A copy: one rule may serve several variables, and each has its own description.
  const rule = z.clone(schema);
  abouts.add(rule, about);
  return rule;
}

/**
 * Reads every variable of the schema, or throws one `configuration_invalid` that lists each mistake. An empty variable
 * counts as unset, as templates leave them; a bad value is an error and never the default.
 */
export function readConfig<Schema extends ConfigSchema>(
  schema: Schema,
  environment: Environment,
  readFile: (path: string) => string,
): z.output<Schema> {
  const mistakes: string[] = [];
  const given: Record<string, string> = {};
  for (const [name, rule] of Object.entries(readShape(schema))) {
    const { isSecret, isFile } = findAbout(rule);
    const value = isSecret ? secret(name, environment, readFile, mistakes) : presence(environment[name]);
    if (isFile) checkFile(name, value, readFile, mistakes);
    if (value !== undefined) given[name] = value;
  }
  mistakes.push(...alternativeMistakes(schema, given));
  // Compiling a parser, as zod otherwise does, pays for itself only in many calls.
  const parsed = z.safeParse(schema, given, { jitless: true });
  const wrong = new Set(parsed.error?.issues.map(({ path }) => String(path[0])));
  for (const name of wrong) {
    if (!mistakes.some((mistake) => mistake.startsWith(name)))
      mistakes.push(describeMistake(name, given[name], schema));
  }
  if (parsed.success && mistakes.length === 0) return parsed.data;
  throw invalidConfiguration(mistakes.join("; "));
}

export function invalidConfiguration(mistakes: string, cause?: unknown): DormouseError {
  return new DormouseError("configuration_invalid", `the configuration has mistakes: ${mistakes}`, {
    hint: "docs/configuration.md describes each variable",
    cause,
  });
}

export type ConfigRow = About & { readonly name: string; readonly fallback: string };

/** One row for each variable, for the documentation. */
export function describeConfig(schema: ConfigSchema): readonly ConfigRow[] {
  return Object.entries(readShape(schema)).map(([name, rule]) => {
    const unset = z.safeParse(rule, undefined);
    const fallback =
      !unset.success || findAbout(rule).instead?.isNeeded === true
        ? "required"
        : unset.data === undefined
          ? "unset"
          : `\`${shown(unset.data)}\``;
    return { name, fallback, ...findAbout(rule) };
  });
}

function alternativeMistakes(schema: ConfigSchema, given: Readonly<Record<string, string>>): string[] {
  return Object.entries(readShape(schema)).flatMap(([name, rule]) => {
    const { instead } = findAbout(rule);
    if (instead === undefined) return [];
    const [isSet, isOtherSet] = [name in given, instead.name in given];
    if (isSet && isOtherSet) return [`${name} and ${instead.name} are both set: give one of them`];
    if (isSet || isOtherSet || !instead.isNeeded) return [];
    return [`${describeMistake(name, undefined, schema)}; or set ${instead.name}`];
  });
}

function shown(value: unknown): string {
  return value instanceof Set ? [...value].join(",") : String(value);
}

/** Files and Secrets often end in a line break, or begin with a mark of byte order, as the variable does that they became. */
function presence(value: string | undefined): string | undefined {
  const text = value?.replace(/^\uFEFF/, "").replace(/[\r\n]+$/, "");
  return text === "" ? undefined : text;
}

/** Reads NAME or the file that NAME_FILE names. */
function secret(
  name: string,
  environment: Environment,
  readFile: (path: string) => string,
  mistakes: string[],
): string | undefined {
  const value = presence(environment[name]);
  const path = presence(environment[`${name}_FILE`]);
  if (path === undefined) return value;
  if (value !== undefined) {
    mistakes.push(`${name} and ${name}_FILE are both set: give one of them`);
    return value;
  }
  return readContent(`${name}_FILE`, path, readFile, mistakes);
}

function checkFile(
  name: string,
  path: string | undefined,
  readFile: (path: string) => string,
  mistakes: string[],
): void {
  // The store of OpenSSL, as libpq calls it.
  if (path !== undefined && path !== "system") readContent(name, path, readFile, mistakes);
}

/** An empty file is a mistake: taken for an unset variable it would turn protection off. */
function readContent(
  name: string,
  path: string,
  readFile: (path: string) => string,
  mistakes: string[],
): string | undefined {
  try {
    const content = presence(readFile(path));
    if (content !== undefined && content.trim() !== "") return content;
    mistakes.push(`${name} names ${path}, which is empty`);
  } catch {
    mistakes.push(`${name} names ${path}, which cannot be read`);
  }
  return undefined;
}

function readShape(schema: ConfigSchema): Readonly<Record<string, Rule>> {
  return schema._zod.def.shape;
}

function findAbout(rule: Rule): About {
  return abouts.get(rule) ?? UNKNOWN;
}

function describeMistake(name: string, value: string | undefined, schema: ConfigSchema): string {
  const rule = readShape(schema)[name];
  const { allowed, isSecret = false } = rule === undefined ? UNKNOWN : findAbout(rule);
  if (value === undefined) return `${name} is not set: it must be ${allowed}`;
  return `${name} is ${isSecret ? "not usable" : readKind(value)}: it must be ${allowed}`;
}

function readKind(value: string): string {
  // What stands before an @ in a URL may be a password, and what stands behind its question mark a token.
  const isShown = value.length <= 40 && !/[@?]/.test(value);
  const short = isShown ? JSON.stringify(value) : `text of ${value.length} characters`;
  return /^-\d+$/.test(value) ? `the negative number ${value}` : short;
}
