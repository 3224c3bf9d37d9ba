import { Command } from "commander";

const options = new Command().requiredOption("--name <name>").parse().opts<{ name: string }>();
console.log(`hello ${options.name}`);
