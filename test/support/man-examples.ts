// The examples of the manual pages, as a reader sees them: files, and sessions of a shell in which lines with a dollar in front are
// typed and the others are the answers.

/** Each display of literal text in the section EXAMPLES of `page`, its escapes read. */
export function literalBlocks(page: string): readonly string[] {
  const section = /\n\.Sh EXAMPLES\n([\s\S]*?)\n\.Sh /.exec(page)?.[1] ?? ''
  return [...section.matchAll(/^\.Bd -literal.*\n([\s\S]*?)^\.Ed$/gm)].map(([, text = '']) =>
    text.replaceAll('\\(aq', "'").replaceAll('\\e', '\\'),
  )
}

/** A script for sh that shows each command of `session` with its dollar before it runs it. */
export function scriptOf(session: string): string {
  return session
    .split('\n')
    .filter((line) => line.startsWith('$ '))
    .map((line) => `printf '%s\\n' '${line.replaceAll("'", "'\\''")}'\n${line.slice(2)}\n`)
    .join('')
}
