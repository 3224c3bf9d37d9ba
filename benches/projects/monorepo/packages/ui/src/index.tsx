import { greet } from "@mono/util";
import clsx from "clsx";

export function Greeting({ name }: { name: string }) {
  return <h1 className={clsx("greeting")}>{greet(name)}</h1>;
}
