import { formatISO } from "date-fns";
import { z } from "zod";

const greeting = z.string().min(1);

export function greet(name: string): string {
  return `Hello, ${greeting.parse(name)}`;
}

export function day(date: Date): string {
  return formatISO(date, { representation: "date" });
}
