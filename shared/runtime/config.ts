import * as z from "zod";
import { DormouseError } from "../errors.ts";

/** What the documentation says of a variable, kept beside the rule that checks it. */
export type About = {
  readonly description: string;
  /** Completes "must be ...". */
  readonly allowed: string;
  /** May also come as NAME_FILE, and its value is never shown. */
  readonly isSecret?: boolean;
};

export type ConfigSchema = z.ZodObject<Record<string, z.ZodType>>;
export type Environment = Readonly<Record<string, string | undefined>>;

/** A rule for one variable together with what there is to say of it. */
export function variable<Schema extends z.ZodType>(schema: Schema, about: About): Schema {
  return schema.meta({ ...about });
}

/** A whole number in words of digits only: `1e3`, `0x10` and ` 7` are typing mistakes more often than wishes. */
export function integer(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .refine((value) => value >= min && value <= max);
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
  for (const [name, rule] of Object.entries(schema.shape)) {
    const value = aboutOf(rule).isSecret
      ? secret(name, environment, readFile, mistakes)
      : presence(environment[name]);
    if (value !== undefined) given[name] = value;
  }
  const parsed = schema.safeParse(given);
  const wrong = new Set(parsed.error?.issues.map(({ path }) => String(path[0])));
  for (const name of wrong) {
    if (!mistakes.some((mistake) => mistake.startsWith(name)))
      mistakes.push(mistakeOf(name, given[name], schema));
  }
  if (parsed.success && mistakes.length === 0) return parsed.data;
  throw new DormouseError("configuration_invalid", `the configuration has mistakes: ${mistakes.join("; ")}`, {
    hint: "docs/configuration.md describes each variable",
  });
}

export type ConfigRow = About & { readonly name: string; readonly fallback: string };

/** One row for each variable, for the documentation. */
export function describeConfig(schema: ConfigSchema): readonly ConfigRow[] {
  return Object.entries(schema.shape).map(([name, rule]) => {
    const unset = rule.safeParse(undefined);
    const fallback = !unset.success
      ? "required"
      : unset.data === undefined
        ? "unset"
        : `\`${shown(unset.data)}\``;
    return { name, fallback, ...aboutOf(rule) };
  });
}

function shown(value: unknown): string {
  return value instanceof Set ? [...value].join(",") : String(value);
}

function presence(value: string | undefined): string | undefined {
  return value === "" ? undefined : value;
}

/** Reads NAME or the file that NAME_FILE names, which may end in a line break as files do. */
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
  try {
    return presence(readFile(path).replace(/\r?\n$/, ""));
  } catch {
    mistakes.push(`${name}_FILE names ${path}, which cannot be read`);
    return undefined;
  }
}

function aboutOf(rule: z.ZodType): About {
  return rule.meta() as unknown as About;
}

function mistakeOf(name: string, value: string | undefined, schema: ConfigSchema): string {
  const rule = schema.shape[name];
  const { allowed, isSecret = false } = rule === undefined ? { allowed: "something else" } : aboutOf(rule);
  if (value === undefined) return `${name} is not set: it must be ${allowed}`;
  return `${name} is ${isSecret ? "not usable" : kindOf(value)}: it must be ${allowed}`;
}

function kindOf(value: string): string {
  const short = value.length <= 40 ? JSON.stringify(value) : `text of ${value.length} characters`;
  return /^-\d+$/.test(value) ? `the negative number ${value}` : short;
}
