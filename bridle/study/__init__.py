"""Studies: many trainings (`sweep`), and what is made from finished runs, tables, pictures, pages; and a look at the machine."""
