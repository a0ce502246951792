// The version of the package, for --version: read from package.json when it is asked for.
import { existsSync, readFileSync } from 'node:fs'

/** Such as `1.0.0`. */
export function packageVersion(): string {
  // Bundled code stands at different depths below the package.
  let file = new URL('./package.json', import.meta.url)
  while (!existsSync(file)) file = new URL('../package.json', file)
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
  return version
}
