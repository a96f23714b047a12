import { main } from './cli/cli.ts';

await main(process.argv);
