//! The exams: how often each is taken, and its questions.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::record::uuid;

/// The exams, each with how many of the records are of it.
pub(super) const EXAMS: [(&str, usize); 103] = [
    ("Learning Git", 394),
    ("Introduction to Python", 261),
    ("Introduction to Java 8", 208),
    ("Intermediate Python Programming", 171),
    ("Learning to Program with R", 145),
    ("Introduction to Machine Learning", 125),
    ("Software Architecture Fundamentals", 109),
    ("Beginning C# Programming", 97),
    ("Learning Eclipse", 87),
    ("Learning Apache Maven", 79),
    ("Beginning Programming with JavaScript", 72),
    ("Mastering Git", 66),
    ("Introduction to Big Data", 61),
    ("Advanced Machine Learning", 56),
    ("Learning Linux System Administration", 52),
    ("JavaScript: The Good Parts Master Class", 49),
    ("Learning SQL", 46),
    ("Practical Java Programming", 43),
    ("HTML5 The Basics", 41),
    ("Python Epiphanies", 38),
    ("Software Architecture Fundamentals Beyond the Basics", 36),
    ("Introduction to Data Science with R", 34),
    ("Intermediate C# Programming", 33),
    ("Learning DNS", 31),
    ("Learning C# Best Practices", 30),
    ("Mastering Advanced Git", 29),
    ("An Introduction to d3.js", 27),
    ("Introduction to Hadoop", 26),
    ("Learning Data Modeling", 25),
    ("Working with Algorithms in Python", 24),
    ("Cloud Computing with AWS", 23),
    ("Learning iPython Notebook", 22),
    ("Great Bash", 22),
    ("Data Visualization in R with ggplot2", 21),
    ("Introduction to Time Management", 20),
    ("Normal Forms and All That Jazz Master Class", 20),
    ("The Principles of Microservices", 19),
    ("Git Fundamentals for Web Developers", 18),
    ("Python Data Structures", 18),
    ("Learning C# Design Patterns", 17),
    ("Introduction to Modern Front-End Development", 17),
    ("TCP/IP Fundamentals", 16),
    ("Relational Theory for Computer Professionals", 16),
    ("Using R for Big Data with Spark", 15),
    ("Networking for People Who Think They Hate Networking", 15),
    ("Hadoop Fundamentals for Data Scientists", 15),
    ("Introduction to Shiny", 14),
    ("Mastering Web Views", 14),
    ("Amazon Web Services: Simple Storage Service", 14),
    ("Starting a Grails 3 Project", 13),
    ("Intermediate Java Programming", 13),
    ("Reproducible Research and Reports with R Markdown", 13),
    ("Introduction to Data Analytics for Business", 12),
    ("Collaborating with Git", 12),
    ("Introduction to Java Generics", 12),
    ("The Closed World Assumption", 11),
    ("Learning Spring Programming", 11),
    ("Example Exam For Development and Testing", 11),
    ("Web and Native Working Together", 11),
    ("Hibernate and JPA Fundamentals", 11),
    ("SQL: Beyond the Basics", 10),
    ("Using Storytelling to Communicate Your Data", 10),
    ("Being a Better Introvert", 10),
    ("Arduino Prototyping Techniques", 10),
    ("Offline Web Applications", 10),
    ("Introduction to Architecting Amazon Services", 9),
    ("Mastering Python - Networking and Security", 9),
    ("Modeling for Software Architects", 9),
    ("Refactor a Monolithic Application into Microservices", 9),
    ("Expert Data Wrangling with R", 9),
    ("Data Science with Microsoft Azure and R", 9),
    ("Introduction to Apache Spark", 9),
    ("Service-Based Architectures", 8),
    ("Building Web Services with Java", 8),
    ("Event-Driven Microservices", 8),
    ("Understanding the Grails 3 Domain Model", 8),
    ("Design Patterns in Java", 8),
    ("Learning to Visualize Data with D3.js", 8),
    ("Cloud Native Architecture Fundamentals", 8),
    ("Nulls, Three-valued Logic and Missing Information", 7),
    ("Introduction to Amazon Redshift", 7),
    ("I'm a Software Architect, Now What?", 7),
    ("Using Web Components", 7),
    ("Client-Side Data Storage for Web Developers", 7),
    ("View Updating", 7),
    ("Testing JavaScript Code with Jasmine", 7),
    ("Building Reactive Programs in Java", 7),
    ("Introduction to Scala", 7),
    ("Practical Data Cleaning", 6),
    ("Learning Docker", 6),
    ("Functional Thinking in JavaScript", 6),
    ("Introduction to Cassandra", 6),
    ("Kafka in Practice", 6),
    ("Operating Red Hat Enterprise Linux Servers", 6),
    ("Learning MongoDB", 6),
    ("Learning Regular Expressions", 6),
    ("Statistics for Programmers", 6),
    ("Scaling Web Applications", 6),
    ("Introduction to TypeScript", 6),
    ("The Command Line for Beginners", 6),
    ("Introduction to Kubernetes", 5),
    ("Writing Clear Documentation", 5),
    ("Learning to Estimate Work", 5),
];

/// How many questions an exam may have: most have four.
const QUESTIONS: [usize; 10] = [4, 4, 4, 4, 4, 3, 5, 6, 10, 20];

/// An exam as every student gets it.
#[derive(Debug, Clone)]
pub(super) struct Exam {
    /// Its `base_exam_id`.
    pub id: String,
    /// Its `exam_name`.
    pub name: &'static str,
    /// Its questions.
    pub questions: Vec<Asked>,
}

/// A question as it is asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Its id.
    pub id: String,
    /// Ids of the options, and whether it is right to check them: some are, some are not.
    pub options: Vec<(String, bool)>,
}

/// The exam of this index; always the same one.
pub(super) fn exam(index: usize) -> Exam {
    let mut rng = StdRng::seed_from_u64(index as u64);
    let questions = QUESTIONS[rng.random_range(0..QUESTIONS.len())];
    Exam { id: uuid(&mut rng), name: EXAMS[index].0, questions: (0..questions).map(|_| asked(&mut rng)).collect() }
}

fn asked(rng: &mut StdRng) -> Asked {
    let options = rng.random_range(2..=5);
    let right = rng.random_range(1..options);
    // Which ones are right is as random as their place.
    let first = rng.random_range(0..options);
    let is_right = |at: usize| (at + options - first) % options < right;
    Asked { id: uuid(rng), options: (0..options).map(|at| (uuid(rng), is_right(at))).collect() }
}
