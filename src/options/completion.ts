// Completion scripts for bash, zsh and fish, made from the table of a command: flags, the words that some of them take, and file
// names where a file or a folder is wanted.
import { isShown } from './help-text.js'
import type { Flag } from './option.js'

export type Shell = 'bash' | 'zsh' | 'fish'

/** The script for `shell`; with `takesFiles` words that belong to no flag are files. */
export function completionScript(shell: Shell, command: string, table: readonly Flag[], takesFiles = false): string {
  const shown = table.filter(isShown)
  if (shell === 'bash') return bashScript(command, shown, takesFiles)
  return shell === 'zsh' ? zshScript(command, shown, takesFiles) : fishScript(command, shown, takesFiles)
}

const takesFile = ({ kind }: Flag) => kind === 'file' || kind === 'path' || kind === 'socket-path'
const takesValue = ({ args = [] }: Flag) => args.length > 0
const choices = ({ kind, words = [] }: Flag) => (kind === 'protocol-version' ? ['31', '311', '5'] : words)
const patterns = (rows: readonly Flag[]) => rows.flatMap(({ flags }) => flags).join('|')

function bashScript(command: string, table: readonly Flag[], takesFiles: boolean): string {
  const name = `_${command.replaceAll('-', '_')}`
  const files = table.filter(takesFile)
  const chosen = table.filter((row) => choices(row).length > 0)
  const free = table.filter((row) => takesValue(row) && !takesFile(row) && choices(row).length === 0)
  const branches = [
    ...(files.length > 0
      ? [`    ${patterns(files)}) compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")); return ;;`]
      : []),
    ...chosen.map(
      (row) => `    ${patterns([row])}) COMPREPLY=($(compgen -W '${choices(row).join(' ')}' -- "$word")); return ;;`,
    ),
    ...(free.length > 0 ? [`    ${patterns(free)}) return ;;`] : []),
  ]
  const flags = table.flatMap((row) => row.flags).join(' ')
  const rest = takesFiles
    ? `  if [[ $word != -* ]]; then compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")); return; fi\n`
    : ''
  return `# bash completion for ${command}
${name}() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  case $before in
${branches.join('\n')}
  esac
${rest}  COMPREPLY=($(compgen -W '${flags}' -- "$word"))
}
complete -F ${name} ${command}
`
}

function zshScript(command: string, table: readonly Flag[], takesFiles: boolean): string {
  const lines = table.flatMap((row) => {
    const mark = row.leftOut === undefined ? ':' : '::'
    const values = (row.args ?? []).map((arg) => `${mark}${zshText(arg)}:${zshAction(row)}`).join('')
    const others = row.repeatable ? '*' : row.flags.length > 1 ? `(${row.flags.join(' ')})` : ''
    return row.flags.map((flag) => `  '${others}${flag}[${zshText(row.help)}]${values}'`)
  })
  const rest = takesFiles ? ["  '*:file:_files'"] : []
  const name = `_${command}`
  // A file in $fpath is the body of the function when it is first called; read by `source` it only defines it.
  return `#compdef ${command}
${name}() {
  _arguments \\
  ${[...lines, ...rest].join(' \\\n  ')}
}
if [[ $funcstack[1] == ${name} ]]; then ${name} "$@"; else compdef ${name} ${command}; fi
`
}

function zshAction(row: Flag): string {
  if (takesFile(row)) return '_files'
  const words = choices(row)
  return words.length > 0 ? `(${words.join(' ')})` : ' '
}

function zshText(text: string): string {
  return text.replace(/[[\]:\\]/g, '\\$&').replaceAll("'", "'\\''")
}

function fishScript(command: string, table: readonly Flag[], takesFiles: boolean): string {
  const lines = table.map((row) => {
    const names = row.flags.map((flag) => {
      if (flag.startsWith('--')) return `-l ${flag.slice(2)}`
      return flag.length === 2 ? `-s ${flag.slice(1)}` : `-o ${flag.slice(1)}`
    })
    const words = choices(row)
    const value = !takesValue(row)
      ? ''
      : takesFile(row)
        ? ' -rF'
        : words.length > 0
          ? ` -xa '${words.join(' ')}'`
          : ' -x'
    return `complete -c ${command} ${names.join(' ')}${value} -d '${row.help.replace(/['\\]/g, '\\$&')}'`
  })
  return [`# fish completion for ${command}`, ...(takesFiles ? [] : [`complete -c ${command} -f`]), ...lines, ''].join(
    '\n',
  )
}
