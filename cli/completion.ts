import type { Command } from "commander";
import { wrongUsage } from "./failure.ts";

type Named = { readonly name: string; readonly description: string; readonly options: readonly string[] };

/** A script for a shell, made of the commands as they are. */
export function completion(program: Command, shell: string): string {
  const commands = program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    options: longOptions(command),
  }));
  const write = SHELLS[shell];
  if (write === undefined)
    throw wrongUsage(`there is no completion for ${JSON.stringify(shell)}`, "bash, zsh or fish");
  return write(program.name(), commands, longOptions(program));
}

function longOptions({ options }: Command): string[] {
  return options.flatMap(({ long }) => (long === null || long === undefined ? [] : [long]));
}

const SHELLS: Readonly<
  Record<string, (name: string, commands: readonly Named[], global: readonly string[]) => string>
> = {
  bash: bashLike,
  zsh: (...given) => `autoload -U +X bashcompinit && bashcompinit\n${bashLike(...given)}`,
  fish: (name, commands, global) =>
    [
      ...commands.map(
        (each) =>
          `complete -c ${name} -n __fish_use_subcommand -f -a ${each.name} -d ${quoted(each.description)}`,
      ),
      ...commands.flatMap((each) =>
        each.options.map(
          (option) =>
            `complete -c ${name} -n '__fish_seen_subcommand_from ${each.name}' -l ${option.slice(2)}`,
        ),
      ),
      ...global.map((option) => `complete -c ${name} -l ${option.slice(2)}`),
      "",
    ].join("\n"),
};

function bashLike(name: string, commands: readonly Named[], global: readonly string[]): string {
  const functionName = `_${name.replaceAll(/[^a-z]/g, "_")}`;
  const cases = commands
    .filter(({ options }) => options.length > 0)
    .map((each) => `      ${each.name}) words="${[...each.options, ...global].join(" ")}" ;;`);
  return `${functionName}() {
  local word words="${[...commands.map((each) => each.name), ...global].join(" ")}"
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
${cases.join("\n")}
    esac
  done
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F ${functionName} ${name}
`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "\\'")}'`;
}
