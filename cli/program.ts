import { Argument, Command } from "commander";
import { servePage } from "./commands/console.ts";
import { backup, type BackupOptions } from "./commands/backup.ts";
import { cull, type CullOptions } from "./commands/cull.ts";
import { diff } from "./commands/diff.ts";
import { doctor, type DoctorOptions } from "./commands/doctor.ts";
import { list } from "./commands/list.ts";
import { mark, retire } from "./commands/marks.ts";
import { plan, rehearse, restore, undo, type RestoreOptions } from "./commands/restore.ts";
import { run, runs } from "./commands/runs.ts";
import { status } from "./commands/status.ts";
import { completion } from "./completion.ts";
import type { Exit } from "./failure.ts";
import type { Session } from "./session.ts";
import { FUNCTIONS, type FunctionName } from "./wire.ts";

export type GlobalOptions = {
  readonly namespace?: string;
  readonly context?: string;
  readonly kubeconfig?: string;
  readonly serviceAccount: string;
  readonly url?: string;
  readonly json?: true;
  readonly quiet?: true;
};

/** Does something within a session, which ends whatever becomes of it. */
export type WithSession = (
  options: GlobalOptions,
  work: (session: Session) => Promise<Exit>,
) => Promise<void>;

const EXCLUDE = "dump these tables without their rows, instead of those that the installation leaves out";
const LEAVE_OUT = "restore without this entry, as an error or pg_restore --list names it; once for each";
const NAME = "name of a backup as list has it, or latest";
const YES = "go on without a question: the name of the database";

export function programOf(name: string, version: string, within: WithSession): Command {
  const program = new Command(name)
    .description("Backs up and restores PostgreSQL with the Dormouse of a namespace")
    .version(version)
    .option("-n, --namespace <name>", "the namespace that Dormouse is installed in")
    .option("--context <name>", "the context of the kubeconfig")
    .option("--kubeconfig <path>", "the kubeconfig")
    .option("--service-account <name>", "the account that the functions are asked as", "dormouse-operator")
    .option(
      "--url <addresses>",
      "functions that are reached directly: backup=http://...,cull=http://...,restore=http://...",
    )
    .option("--json", "print what the functions said")
    .option("-q, --quiet", "print the result only")
    .showHelpAfterError("(--help has the commands and their options)")
    .showSuggestionAfterError()
    .exitOverride();
  const doing = (work: (session: Session) => Promise<Exit>) => within(program.opts<GlobalOptions>(), work);
  looking(program, doing);
  working(program, doing);
  undoing(program, doing);
  marking(program, doing);
  program
    .command("completion")
    .argument("<shell>", "bash, zsh or fish")
    .description("print a script that completes the commands in a shell")
    .action((shell: string) => void process.stdout.write(completion(program, shell)));
  return program;
}

type Doing = (work: (session: Session) => Promise<Exit>) => Promise<void>;

function looking(program: Command, doing: Doing): void {
  program
    .command("status")
    .description(
      "whether a person has to do something: last backup, what would be lost, how long it takes to be back",
    )
    .action(() => doing(status));
  program
    .command("list")
    .description("the backups, newest first")
    .action(() => doing(list));
  program
    .command("diff")
    .argument("<backup>", NAME)
    .argument("[other]", "the newer one; without it the first is compared with the one before it")
    .description("which tables came, went, grew or shrank between two backups")
    .action((first: string, second?: string) => doing((session) => diff(session, first, second)));
  program
    .command("runs")
    .addArgument(new Argument("[function]", "the function whose runs are meant").choices(FUNCTIONS))
    .description("the latest runs of all functions, or of one")
    .action((name: FunctionName | undefined) => doing((session) => runs(session, name)));
  program
    .command("run")
    .argument("<id>", "id of a run")
    .option("-f, --follow", "stay until it has ended")
    .description("how a run stands, step by step")
    .action((id: string, options: { follow?: true }) => doing((session) => run(session, id, options)));
  program
    .command("doctor")
    .option("-k, --kustomize <folder>", "what the folder would install, before it is applied")
    .option("--send", "send a test message to each chat, mailbox, monitor and Pushgateway")
    .description("what is at fault in the namespace, and with what the functions need")
    .action((options: DoctorOptions) => doing((session) => doctor(session, options)));
  program
    .command("console")
    .option("--no-browser", "print the address, and open no browser")
    .description("serve one page on this machine that shows and does all of this")
    .action((options: { browser: boolean }) => doing((session) => servePage(session, options)));
}

function working(program: Command, doing: Doing): void {
  program
    .command("backup")
    .option("--database <name>", "of several databases this one alone")
    .option("--label <text>", "a text that the backup bears")
    .option("--pin [reason]", "no cull removes it")
    .option("--if-older-than <duration>", "take none if there is one that is younger: 23h, 30m, 2d")
    .option("--exclude-table-data <pattern...>", EXCLUDE)
    .description("take a backup now")
    .action((options: BackupOptions) => doing((session) => backup(session, options)));
  const restoring = (name: string, description: string) =>
    program
      .command(name)
      .argument("[backup]", NAME, "latest")
      .option("--database <name>", "of several databases the one that latest is of")
      .option("--from-elsewhere", "a backup of another server or namespace is meant")
      .option("--create-roles", "make the roles that the server lacks, without passwords")
      .option("--no-owner", "all belongs to the role that restores, not to its owner in the backup")
      .option("--leave-out <entry>", LEAVE_OUT, (entry, before?: readonly string[]) => [
        ...(before ?? []),
        entry,
      ])
      .description(description);
  const ways = (command: Command) =>
    command
      .option("--in-place", "replace the content of the live database, where none can be made beside it")
      .option("--into <database>", "keep it beside the live database under this name");
  ways(restoring("plan", "what a restore would do, and what stands in its way")).action(
    (name: string, options: RestoreOptions) => doing((session) => plan(session, name, options)),
  );
  ways(restoring("restore", "show the plan, ask, put the backup back"))
    .option("--yes <database>", YES)
    .action((name: string, options: RestoreOptions) => doing((session) => restore(session, name, options)));
  restoring("rehearse", "load a backup into a scratch database, compare its rows, and drop it").action(
    (name: string, options: RestoreOptions) => doing((session) => rehearse(session, name, options)),
  );
}

function undoing(program: Command, doing: Doing): void {
  program
    .command("undo")
    .argument("[run]", "the restore to take back; without it the last one")
    .option("--database <name>", "of several databases the one whose last restore is taken back")
    .option("--yes <database>", YES)
    .description("take a restore back")
    .action((id: string | undefined, options: RestoreOptions) =>
      doing((session) => undo(session, id, options)),
    );
}

function marking(program: Command, doing: Doing): void {
  const marks = {
    pin: "keep a backup whatever the counts say",
    unpin: "let culls remove it again",
    acknowledge: "say that a suspect or damaged backup was looked at",
  } as const;
  for (const action of ["pin", "unpin", "acknowledge"] as const) {
    const command = program
      .command(action)
      .argument("<backup>", "name of a backup, with its folder")
      .description(marks[action]);
    if (action !== "unpin") command.option("--reason <text>", "why");
    command.action((name: string, options: { reason?: string }) =>
      doing((session) => mark(session, action, name, options)),
    );
  }
  program
    .command("retire")
    .argument("<database>", "a database that is gone for good")
    .requiredOption("--reason <text>", "why")
    .description("end the alarms about a database that is gone; its backups go with time")
    .action((database: string, options: { reason: string }) =>
      doing((session) => retire(session, database, options)),
    );
  program
    .command("cull")
    .option("--yes", "remove them")
    .option("--keep <counts>", "show what other counts would remove: NUM_BACKUPS=14,KEEP_WEEKLY=4")
    .description("show what retention would remove; with --yes remove it")
    .action((options: CullOptions) => doing((session) => cull(session, options)));
}
